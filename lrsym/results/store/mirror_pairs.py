"""How many mirror pairs a batch has: the column `mirror_pairs` of the table `trials`.

Two examples are a mirror pair where one shows a left of b, the other b left of a, each under a caption of both labels.
Only there do two captions of the same labels stand side by side as right and wrong answer; nothing else asks for order.

    N, K    ordered pairs of the pair labels, and how many of them are trained
    M       pairs of labels trained in both orders, expected: N / 2 times K (K - 1) / (N (N - 1))
    E       examples of each ordered pair: its layouts times the captions of both labels that are true of one
    n, B    examples in the training set, in a batch

Each of B (B - 1) / 2 pairs of examples is a mirror pair with probability 2 M E^2 / n^2; drawn without replacement, and
within one pass, with 2 M E^2 / (n (n - 1)).
"""

import polars as pl


def expected_mirror_pairs() -> pl.Expr:
    """Return the expected number of mirror pairs in a batch, over seeds and batches, by the axes of a trial.

    Null for three objects, and where captions say both left and above, so that layouts differ in how many are true.
    """
    labels, both_orders = pl.col("n_pair_labels"), pl.col("pair_orders") == "both"
    pairs = labels * (labels - 1)
    trained = (pl.col("coverage") * pl.when(both_orders).then(pairs).otherwise(pairs // 2)).round()
    in_both_orders = pl.when(both_orders).then(trained * (trained - 1) / (2 * (pairs - 1))).otherwise(0.0)
    true = pl.when(pl.col("captions") == "both").then(2).otherwise(1)
    of_pair = pl.col("layouts_per_pair") * true
    singles = pl.col("n_labels") * pl.col("positions_per_label")
    singles += pl.col("n_heldout_labels") * pl.col("heldout_partners")
    labels_alone = pl.when(pl.col("label_captions")).then(2).otherwise(0)
    n = singles + trained * pl.col("layouts_per_pair") * (true + labels_alone)
    chance = 2 * in_both_orders * of_pair**2 / (n * (n - (~pl.col("replacement")).cast(pl.Int64)))
    batch = pl.col("batch_size")
    known = (pl.col("n_objects") == 2) & (pl.col("captions") != "left+above")
    return pl.when(known).then(batch * (batch - 1) / 2 * chance)
