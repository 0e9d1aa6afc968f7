"""The Ray engine: `engine` runs the packs, `connection` finds or starts a Ray. Only here is Ray imported.

What this sets Ray reads when it is imported.
"""

import os

# No CSV, JSON and TensorBoard files, Ctrl-C is the driver's to answer (Tune heeds it only between packs), workers stay
# in the driver's folder, the experiment state is written rarely, usage is not reported, and a CPU worker does not lose
# sight of a GPU.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "60")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
