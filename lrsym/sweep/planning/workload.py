"""How much work a training is, and how long it may take, from its configuration alone."""

from lrsym.config.model import ModelConfig
from lrsym.config.trial import Trial

SECONDS_PER_WORK, SECONDS_PER_TRIAL_STEP, SECONDS_PER_PACK_STEP, SECONDS_PER_TRIAL = 6e-8, 5e-4, 1.2e-3, 0.3
"""Rough costs on one core (docs/benchmarks.md): of a unit of `work`; of a step besides, for a trial and for its pack;
of the evaluations and rows of a trial."""

SECONDS_PER_MECHANISM = 0.25
"""The same of one evaluation of a trial with all its ablations and measures."""

DENSE_TOKEN_COST, CAPTION_WORDS = 0.6, 4
"""Cost of a token in a block without tables, against an encoder that has them; words of a caption."""


def work(trial: Trial, n_trials: int = 1) -> float:
    """Return what training `n_trials` like `trial` costs, up to a factor: steps x trials x scenes x width x depth."""
    return trial.n_steps * n_trials * trial.optim.batch_size * trial.model.d_model * _depth(trial)


def rough_seconds(trial: Trial, n_trials: int) -> float:
    """Return the seconds that a pack of `n_trials` like `trial` may take on a core, right to a factor of three."""
    steps = trial.n_steps
    per_trial = SECONDS_PER_TRIAL + SECONDS_PER_TRIAL_STEP * steps
    if trial.eval.mechanism == "points":
        per_trial += SECONDS_PER_MECHANISM * len(trial.evaluation_steps)
    return SECONDS_PER_WORK * work(trial, n_trials) + SECONDS_PER_PACK_STEP * steps + per_trial * n_trials


def _depth(trial: Trial) -> float:
    """Return the cost of the encoders, in encoders of one block that reads its scores from tables.

    A rule of thumb, fitted to the shipped sweeps: any other block pays for every token it reads, and for its MLP.
    """
    model, n_keys = trial.model, trial.scenes.n_pixels + 1
    if model.kind == "autoregressive":
        return DENSE_TOKEN_COST * model.text_blocks * model.repeats * (n_keys + CAPTION_WORDS) * _mlp(model)
    cost = 0.0
    for blocks, tokens in ((model.vision_blocks, n_keys), (model.text_blocks, CAPTION_WORDS)):
        passes = blocks * model.repeats
        bare = model.layer_norm == "none" and not model.d_mlp and not any(model.drops)
        has_tables = passes == 1 and bare and model.positions == "learned"
        cost += 1 if has_tables else DENSE_TOKEN_COST * passes * tokens
    return cost / 2 * _mlp(model)


def _mlp(model: ModelConfig) -> float:
    return 1 + model.d_mlp / (8 * model.d_model)
