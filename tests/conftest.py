"""Set before anything imports huggingface_hub, which reads its settings once: no test reaches the network."""

import atexit
import os
import shutil
import signal
import tempfile

HOME = tempfile.mkdtemp(prefix="i2izoo-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

for name in (
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
):
    os.environ.pop(name, None)
os.environ.update(
    HF_HOME=HOME,
    HF_HUB_OFFLINE="1",  # a test of the Hub turns this off for its own server on loopback
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_HUB_DISABLE_IMPLICIT_TOKEN="0",
)
os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(
    filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"])
)
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin starve tests that run beside them
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite started in the background inherits none
