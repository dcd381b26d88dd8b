"""Writes tests/golden/metrics: random judgements and runs, and their measures by the code that each
convention of host/index/metrics.h is named after:

  trec_eval  pytrec_eval-terrier
  mteb       mteb's own retrieval_metrics.py over pytrec_eval
  mmeb       RankingMetrics of TIGER-AI-Lab/VLM2Vec, src/utils/eval_utils/metrics.py (commit 6e1e1d4)

in the environment of bench/peers/setup.sh:

  metrics.py VLM2VEC_METRICS_PY FOLDER
  metrics.py VLM2VEC_METRICS_PY FOLDER --omnitile PROGRAM --sets 200

The second form compares the program with them on that many random sets instead.
"""
import argparse
import importlib.metadata
import importlib.util
import json
import random
import subprocess
import sys
import types
from pathlib import Path

import pytrec_eval

CUTS = (1, 2, 3, 5, 10, 20, 100)
MTEB_CUTS = (1, 3, 5, 10, 20, 100, 1000)
PAIRS = (("ndcg", "ndcg_cut"), ("map", "map_cut"), ("recall", "recall"), ("precision", "P"),
         ("hit", "success"))


def load_module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_mteb():
    """retrieval_metrics.py alone: the package around it needs much more."""
    path = next(f for f in importlib.metadata.files("mteb")
                if str(f).endswith("_evaluators/retrieval_metrics.py")).locate()
    package, kinds = types.ModuleType("mteb"), types.ModuleType("mteb.types")
    kinds.RetrievalEvaluationResult = types.SimpleNamespace
    sys.modules.update({"mteb": package, "mteb.types": kinds})
    return load_module("retrieval_metrics", path)


# ---- by convention: {query: {measure: {cut: value}}} and means --------------------------------

def mean(rows, count):
    """Of each measure and cut-off over `count` queries; those without a row are 0."""
    result = {}
    for row in rows.values():
        for measure, cuts in row.items():
            for cut, value in cuts.items():
                means = result.setdefault(measure, {})
                means[cut] = means.get(cut, 0) + value / count
    return result


def by_trec_eval(qrels, run):
    names = {f"{theirs}.{','.join(map(str, CUTS))}" for _, theirs in PAIRS}
    found = pytrec_eval.RelevanceEvaluator(qrels, names | {"map", "ndcg", "recip_rank"}).evaluate(run)
    rows = {}
    for query, values in found.items():
        row = {ours: {str(k): values[f"{theirs}_{k}"] for k in CUTS} for ours, theirs in PAIRS}
        first = values["recip_rank"]
        row["ndcg"][""], row["map"][""] = values["ndcg"], values["map"]
        row["mrr"] = {str(k): first if first and round(1 / first) <= k else 0.0 for k in CUTS}
        row["mrr"][""] = first
        rows[query] = row
    return {"per_query": rows, "absent_zero": mean(rows, len(qrels)),
            "absent_skip": mean(rows, len(rows))}


def by_mteb(mteb, qrels, run, identical):
    """As AbsTaskRetrieval and RetrievalEvaluator.evaluate call it; a run has judged queries only."""
    results = {query: {d: s for d, s in answers.items() if not (identical and d == query)}
               for query, answers in run.items() if query in qrels}
    scores = mteb.calculate_retrieval_scores(results, qrels, list(MTEB_CUTS))
    named = {"ndcg": scores.ndcg, "map": scores.map, "recall": scores.recall,
             "precision": scores.precision, "mrr": scores.mrr, "hit": scores.hit_rate}
    return {measure: {key.split("@")[1]: value for key, value in values.items()}
            for measure, values in named.items()}


def by_mmeb(metrics, qrels, run):
    """Labels as load_qrels_mapping keeps them, candidates in the run's order."""
    ranked = metrics.RankingMetrics(["hit"], k_list=CUTS)
    rows = {}
    for query, judged in qrels.items():
        labels = {d: grade for d, grade in judged.items() if grade > 0}
        if not labels:
            continue
        answers = run.get(query, {})
        prediction = sorted(answers, key=lambda d: -answers[d])  # stable
        names, grades = list(labels), list(labels.values())
        by_cut = {
            "ndcg": lambda k: ranked.ndcg_at_k(prediction, names, k, grades, form="linear"),
            "map": lambda k: ranked.average_precision_at_k(prediction, names, k),
            "recall": lambda k: ranked.recall_at_k(prediction, names, k),
            "precision": lambda k: ranked.precision_at_k(prediction, names, k),
            "mrr": lambda k: ranked.mean_reciprocal_rank_at_k(
                [{"prediction": prediction, "label": names}], k),
            "hit": lambda k: ranked.hit_at_k(prediction, names, k)}
        rows[query] = {measure: {str(k): float(value(k)) for k in CUTS}
                       for measure, value in by_cut.items()}
    return {"per_query": rows, "means": mean(rows, len(rows))}


# ---- random sets ------------------------------------------------------------------------------

ODD_IDS = ["d", "D", "d1", "d10", "d2", "d1-", "é", "É", "e", "ä", "中", "中文", "😀", "😁", "zz", "Z",
           "~", "_", "0", "00", "1e3", "a/b", "a.b", "ß", "ss", "\u00e9x", "e\u0301x"]


def documents(rng, kind, count):
    if kind == "odd":
        return rng.sample(ODD_IDS, min(count, len(ODD_IDS)))
    return [f"d{number}" for number in rng.sample(range(3 * count), count)]


def score(rng, how):
    if how == "ties":
        return rng.randint(0, 4) / 4
    if how == "float32":  # equal as float32, not as double
        return 0.1 + rng.randint(0, 3) * 1e-10 + rng.randint(0, 2) * 1e-3
    if how == "wide":
        return rng.choice([-1, 1]) * 10.0 ** rng.randint(-45, 300)
    if how == "negative":
        return -rng.random() * 100
    return rng.random()


def grade(rng, how):
    if how == "binary":
        return int(rng.random() < 0.3)
    if how == "graded":
        return rng.choice([0, 0, 0, 1, 1, 2, 3])
    if how == "signed":
        return rng.choice([-2, -1, -1, 0, 1, 2])
    if how == "large":
        return rng.choice([0, 1, 7, 100, 1000])
    return int(rng.random() < 0.05)  # "rare": many queries without a relevant document


SETS = {  # name: (queries, answers, judged, scores, grades, ids)
    "ties": (12, 30, 15, "ties", "graded", "plain"),
    "float32": (12, 25, 15, "float32", "graded", "plain"),
    "signed": (12, 25, 12, "plain", "signed", "plain"),
    "unjudged": (10, 60, 4, "plain", "binary", "plain"),
    "absent": (20, 12, 10, "plain", "binary", "plain"),
    "odd_ids": (12, 20, 14, "ties", "graded", "odd"),
    "large_gains": (10, 20, 20, "plain", "large", "plain"),
    "no_relevant": (20, 15, 8, "ties", "rare", "plain"),
    "identical": (10, 15, 10, "ties", "binary", "queries"),
    "wide_scores": (10, 25, 12, "wide", "graded", "plain"),
    "short": (15, 2, 20, "negative", "graded", "plain"),
    "long": (2, 1100, 150, "plain", "graded", "plain"),
}


def make(rng, shape):
    count, answers, judged, scores, grades, ids = shape
    queries = ([f"d{i}" for i in range(count)] if ids == "queries" else
               rng.sample(ODD_IDS, count) if ids == "odd" else [f"q{i}" for i in range(count)])
    qrels, run = {}, {}
    for query in queries:
        pool = documents(rng, ids, answers + judged)
        known = rng.sample(pool, min(judged, len(pool)))
        found = rng.sample(pool, max(1, min(answers, len(pool)) - rng.randint(0, 3)))
        if ids == "queries" and query not in found:
            found[0] = query
        qrels[query] = {d: grade(rng, grades) for d in known}
        # trec_eval reads past its table of levels when all grades are negative
        if max(qrels[query].values()) < 0:
            qrels[query][known[0]] = 0
        run[query] = {d: score(rng, scores) for d in found}
    for query in rng.sample(queries, count // 4 if count > 5 else 0):
        del (run if rng.random() < 0.5 else qrels)[query]
    return qrels, run


def write(folder, name, qrels, run):
    with open(folder / f"{name}.qrels", "w") as file:
        for query, judged in qrels.items():
            file.writelines(f"{query} 0 {d} {g}\n" for d, g in judged.items())
    with open(folder / f"{name}.run", "w") as file:
        for query, answers in run.items():
            file.writelines(f"{query} Q0 {d} 0 {s!r} random\n" for d, s in answers.items())


def expected(mteb, mmeb, qrels, run):
    return {"trec_eval": by_trec_eval(qrels, run), "mteb": by_mteb(mteb, qrels, run, False),
            "mteb_identical": by_mteb(mteb, qrels, run, True), "mmeb": by_mmeb(mmeb, qrels, run)}


def shortened(value):
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    return float(f"{value:.10g}")


# ---- the program beside them ------------------------------------------------------------------

def differences(wanted, measured, place, limit):
    """Of {measure: {cut: value}} and the program's "measured"; a text each."""
    return [f"{place} {measure}@{cut}: {measured[measure][cut]['value']}, wanted {value}"
            for measure, cuts in wanted.items() for cut, value in cuts.items()
            if abs(measured[measure][cut]["value"] - value) > limit]


def compare(program, folder, name, wanted):
    cuts = ",".join(map(str, CUTS))
    bad = []
    for convention, means, options in (
            ("trec_eval", wanted["trec_eval"]["absent_zero"], ["--k", cuts]),
            ("trec_eval", wanted["trec_eval"]["absent_skip"], ["--k", cuts, "--absent", "skip"]),
            ("mteb", wanted["mteb"], []),
            ("mteb", wanted["mteb_identical"], ["--ignore-identical"]),
            ("mmeb", wanted["mmeb"]["means"], ["--k", cuts])):
        made = json.loads(subprocess.run(
            [program, "eval", "--json", "--qrels", folder / f"{name}.qrels", "--run",
             folder / f"{name}.run", "--convention", convention, "--bootstrap", "0", *options],
            check=True, capture_output=True).stdout)
        bad += differences(means, made["runs"][0]["measured"], f"{name} {convention}",
                           1e-9 if convention != "mteb" else 1e-12)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vlm2vec", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--omnitile")
    parser.add_argument("--sets", type=int, default=len(SETS))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    mteb, mmeb = load_mteb(), load_module("vlm2vec_metrics", given.vlm2vec)
    rng = random.Random(given.seed)
    names, bad = list(SETS), []
    given.folder.mkdir(parents=True, exist_ok=True)
    for i in range(given.sets):
        name = names[i % len(names)]
        qrels, run = make(rng, SETS[name])
        write(given.folder, name, qrels, run)
        wanted = expected(mteb, mmeb, qrels, run)
        if given.omnitile:
            bad += compare(given.omnitile, given.folder, name, wanted)
        else:
            text = json.dumps(shortened(wanted), ensure_ascii=False, separators=(",", ":"))
            (given.folder / f"{name}.json").write_text(text + "\n")
    print(*bad, sep="\n", end="\n" if bad else "")
    print(f"{given.sets} sets, {len(bad)} values differ")
    sys.exit(bool(bad))


main()
