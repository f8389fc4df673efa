"""Cannot be imported."""

raise RuntimeError("this plugin was built for another age")
