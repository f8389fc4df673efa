"""Two processes are one with twice the batch."""

import csv
import json

import training_run
from safetensors.torch import load_file
from training_run import trainer
from two_processes import launch

OPTIONS = {"steps": 3, "log_every": 1, "ema": 0.5, "sample_every": 3}
LOSSES = {f"{loss}_{domain}" for loss in ("gan", "cycle", "identity", "d") for domain in ("label", "photo")}


def losses(out):
    with (out / "log.csv").open(newline="") as file:
        return [{name: float(row[name]) for name in LOSSES} for row in csv.DictReader(file)]


def test_two_processes_with_half_the_batch_each(tmp_path, monkeypatch):
    """Gloo on the CPU; no pool, since each process has its own."""
    monkeypatch.setitem(training_run.METHODS["cyclegan"], "pool_size", 0)
    trainer("cyclegan", tmp_path / "one", batch_size=2, **OPTIONS).fit()
    launch(
        tmp_path,
        """
        training_run.METHODS["cyclegan"]["pool_size"] = 0
        run = training_run.trainer("cyclegan", sys.argv[1], batch_size=1, **json.loads(sys.argv[2]))
        assert run.world == 2
        model = run.fit()
        sums = [torch.zeros(()) for _ in range(2)]
        own = sum(v.double().abs().sum() for v in model.method.state_dict().values()).float()
        torch.distributed.all_gather(sums, own)
        assert sums[0] == sums[1], sums
        from i2izoo.training.step import of_first_process
        assert of_first_process(3.0 + run.rank) == 3.0  # whose clock ends a run of so many minutes
        """,
        tmp_path / "two",
        json.dumps(OPTIONS),
    )
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        assert all(abs(a[name] - b[name]) <= 1e-4 for name in LOSSES)
    a, b = (load_file(tmp_path / run / "model/model.safetensors") for run in ("one", "two"))
    for name in a:
        if name.endswith("weight"):  # a bias before an instance norm has no gradient but rounding
            assert (a[name] - b[name]).abs().max() <= 1e-4, name
    assert (tmp_path / "two/samples/step-00000003.png").is_file()


def test_gradients_are_averaged_on_their_way(tmp_path):
    """Of a network whose middle one process alone uses, in one bucket for each parameter: the mean, by hand."""
    launch(
        tmp_path,
        """
        from torch import nn
        from torch.distributed import get_rank
        from i2izoo.training import averaging
        torch.distributed.init_process_group("gloo")
        rank = get_rank()
        for averaging.BUCKET in (1, 10**9):
            layers = nn.ModuleList([nn.Linear(1, 1, bias=False) for _ in range(4)])
            for layer, weight in zip(layers, (2.0, 3.0, 5.0, 7.0)):
                nn.init.constant_(layer.weight, weight)
            layers[3].weight.requires_grad_(False)
            for watch in (True, False):
                x = torch.full((1, 1), 1.0 + rank)
                used = [layers[0], layers[2], layers[3]] if rank else list(layers)
                for layer in used:
                    x = layer(x)
                layers.zero_grad(set_to_none=True)
                going = averaging.Averaging(layers.parameters(), watch=watch)
                x.backward(inputs=[p for p in layers.parameters() if p.requires_grad])
                sent = len(going.sent)
                going.finish()
                # 1 * 2 * 3 * 5 * 7 in the first process, 2 * 2 * 5 * 7 in the second
                expected = [(210 / 2 + 140 / 2) / 2, 210 / 3 / 2, (210 / 5 + 140 / 5) / 2, None]
                assert [None if l.weight.grad is None else l.weight.grad.item() for l in layers] == expected
                # while the backward pass ran: all of them where all are used, none behind one that is not
                buckets = 3 if averaging.BUCKET == 1 else 1
                assert len(going.buckets) == buckets
                assert sent == (0 if not watch else buckets if not rank else 1 if buckets == 3 else 0), sent
        """,
    )
