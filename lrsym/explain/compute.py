"""From a trained model to the frames of its page."""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
import torch

from lrsym.config.scene import SceneConfig
from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.explain.frames import Explanation
from lrsym.testbed.data import scenes as sc
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Accuracies, Candidates, evaluate
from lrsym.testbed.mechanism.inspection import contributions, mirrored_scenes, readout_attention
from lrsym.testbed.mechanism.mechanism import ablations
from lrsym.testbed.model.encoder import encode
from lrsym.testbed.model.pack_model import PackModel
from lrsym.testbed.model.scores import all_score_tables
from lrsym.testbed.model.shape import ModelShape
from lrsym.testbed.training.contrastive import cosine

ENCODERS = {"vision", "text"}

MAX_TOKENS = 34
"""A map of the score terms has room for so many tokens; of more labels, a regular selection is shown."""

Record = dict[str, object]


def check_kind(trial: Trial) -> None:
    """Raise UsageError for a model that is not made of a vision and a text encoder."""
    encoders = {encoder for encoder, *_ in ModelShape.of(trial).named()} - {"loss"}
    if encoders != ENCODERS:
        raise UsageError(
            f"explain draws models of a vision and a text encoder, trial {trial.trial_id} is made of "
            f"{', '.join(sorted(encoders))}; choose another trial, of a sweep with --where"
        )


@torch.no_grad()
def explain(model: PackModel, row: pl.DataFrame) -> Explanation:
    """Return everything the page of `model` shows; `row` is the trial's row of the table `trials`."""
    scenes = model.trial.scenes
    tokens = mirrored_scenes(scenes)
    data = PackData.of([model.trial], device=model.device)
    candidates = Candidates.of(data)
    accuracies = evaluate(model, data, candidates)
    left_out = ablations(model, data, candidates)
    maps = _frame(_maps(model), head=int, term=str, query=str, key=str, value=float)
    shown = _captions(scenes, tokens)
    return Explanation(
        row=row,
        accuracies=_frame(_accuracies(accuracies, row), split=str, metric=str, value=float, stored=float),
        grid=(scenes.n_rows, scenes.n_positions),
        scenes=pl.DataFrame(_scenes(scenes, tokens)),
        captions=pl.DataFrame(_scored(model, data, tokens, shown)),
        maps=maps,
        readout=_readout(maps),
        contributions=_frame(_contributions(model, tokens), scene=int, head=int, term=str, place=int, value=float),
        vision_attention=pl.DataFrame(_vision_attention(model, tokens)),
        text_attention=pl.DataFrame(_text_attention(model, shown)),
        ablations=_frame(_left_out(left_out), term=str, split=str, metric=str, value=float),
    )


def _frame(records: Iterator[Record], **types: type) -> pl.DataFrame:
    return pl.DataFrame(list(records), schema=types)


def token_name(scenes: SceneConfig, token: int) -> str:
    """Return a token of the image as a person reads it: labels are numbers, bg is the background."""
    return {0: "bg", sc.cls_token(scenes): "[CLS]"}.get(token, str(token))


def position_name(scenes: SceneConfig, place: int) -> str:
    """Return the name of the key at `place`: [CLS], then pixels from 1; in grids row.column."""
    if place == sc.CLS_POSITION:
        return "[CLS]"
    row, column = divmod(place - 1, scenes.n_positions)
    return str(place) if scenes.n_rows == 1 else f"{row + 1}.{column + 1}"


def caption_words(scenes: SceneConfig, caption: int) -> list[str]:
    """Return the four tokens of a caption in words."""
    text = sc.caption_text(scenes, caption).split()
    single = "image" in text
    return [text[0], *(["is", "in the image"] if single else [" ".join(text[1:-1]), text[-1]]), "[EOT]"]


def _values(accuracies: Accuracies) -> list[Record]:
    (values,) = accuracies.members()
    return [{"split": split, "metric": metric, "value": value} for (split, metric), value in values.items()]


def _left_out(ablated: Iterable[tuple[str, Accuracies]]) -> Iterator[Record]:
    for term, accuracies in ablated:
        yield from ({"term": term, **entry} for entry in _values(accuracies) if entry["value"] is not None)


def _accuracies(accuracies: Accuracies, row: pl.DataFrame) -> Iterator[Record]:
    for entry in _values(accuracies):
        yield {**entry, "stored": row[f"{entry['split']}_{entry['metric']}"].item()}


def _scenes(scenes: SceneConfig, tokens: np.ndarray) -> Iterator[Record]:
    for number, row in enumerate(tokens.tolist()):
        for place, token in enumerate(row):
            names = {"position": position_name(scenes, place), "token": token_name(scenes, token)}
            yield {"scene": number, "place": place, **names}


def _captions(scenes: SceneConfig, tokens: np.ndarray) -> list[list[int]]:
    """Return the captions that are true of each scene."""
    true = sc.scene_captions(scenes, np.array([sc.scene_number(scenes, row) for row in tokens]))
    return [[int(caption) for caption in row if caption >= 0] for row in true]


def _scored(model: PackModel, data: PackData, tokens: np.ndarray, shown: list[list[int]]) -> Iterator[Record]:
    scenes = model.trial.scenes
    weights, shape, rows = model.weights, model.shape, torch.from_numpy(tokens).to(model.device)
    image, _ = encode(weights["vision"], shape.vision, rows, scale=model.embedding_scale)
    text, _ = encode(weights["text"], shape.text, data.captions, scale=model.embedding_scale)
    scores = cosine(image, text)[0].cpu().numpy()
    for number, captions in enumerate(shown):
        for caption in captions:
            swapped = int(sc.swap(scenes, np.array([caption]))[0])
            yield {
                "scene": number, "caption": caption,
                "text": sc.caption_text(scenes, caption), "score": float(scores[number, caption]),
                "other": sc.caption_text(scenes, swapped), "other_score": float(scores[number, swapped]),
            }  # fmt: skip


def _shown_tokens(scenes: SceneConfig) -> list[int]:
    """Return [CLS], background, and the labels, or a regular selection of them that has the first and the last."""
    labels = np.arange(1, scenes.n_labels + 1)
    if len(labels) > MAX_TOKENS:
        labels = np.unique(np.linspace(1, scenes.n_labels, MAX_TOKENS).round().astype(int))
    return [sc.cls_token(scenes), 0, *labels.tolist()]


def _maps(model: PackModel) -> Iterator[Record]:
    scenes, shape = model.trial.scenes, model.shape.vision
    if not shape.has_terms:
        return
    tokens = _shown_tokens(scenes)
    places = list(range(shape.length))
    entries = {"E": [(t, token_name(scenes, t)) for t in tokens], "P": [(p, position_name(scenes, p)) for p in places]}
    entries["B"] = [(0, "bias")]
    for term, table in all_score_tables(model.weights["vision"], shape, model.embedding_scale).items():
        values = table[0].reshape(shape.n_heads, -1, table.shape[-1]).cpu().numpy()
        for head, of_head in enumerate(values):
            for query, query_name in entries[term[0]]:
                for key, key_name in entries[term[1]]:
                    value = float(of_head[query, key])
                    yield {"head": head, "term": term, "query": query_name, "key": key_name, "value": value}


def _readout(maps: pl.DataFrame) -> pl.DataFrame:
    return maps.filter(pl.col("query").is_in(["[CLS]", "bias"]))


def _contributions(model: PackModel, tokens: np.ndarray) -> Iterator[Record]:
    shape, rows = model.shape.vision, torch.from_numpy(tokens).to(model.device)
    terms = contributions(model.weights["vision"], shape, model.embedding_scale, rows) if shape.has_terms else {}
    for term, table in terms.items():
        for (scene, head, place), value in np.ndenumerate(table[0].cpu().numpy()):
            yield {"scene": scene, "head": head, "term": term, "place": place, "value": float(value)}


def _vision_attention(model: PackModel, tokens: np.ndarray) -> Iterator[Record]:
    rows = torch.from_numpy(tokens).to(model.device)
    for number, table in enumerate(
        readout_attention(model.weights["vision"], model.shape.vision, model.embedding_scale, rows), start=1
    ):
        for (scene, head, place), value in np.ndenumerate(table[0].cpu().numpy()):
            yield {"scene": scene, "application": number, "head": head, "place": place, "value": float(value)}


def _text_attention(model: PackModel, shown: list[list[int]]) -> Iterator[Record]:
    scenes = model.trial.scenes
    captions = [*dict.fromkeys(caption for of_scene in shown for caption in of_scene)]
    rows = torch.from_numpy(sc.caption_tokens(scenes)[captions]).to(model.device)
    words = [caption_words(scenes, caption) for caption in captions]
    for number, table in enumerate(
        readout_attention(model.weights["text"], model.shape.text, model.embedding_scale, rows), start=1
    ):
        for (caption, head, place), value in np.ndenumerate(table[0].cpu().numpy()):
            named = {"caption": sc.caption_text(scenes, captions[caption]), "token": words[caption][place]}
            yield {**named, "application": number, "head": head, "place": place, "value": float(value)}
