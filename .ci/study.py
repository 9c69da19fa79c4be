"""A study of cupel opens in Optuna and in optuna-dashboard, and workers of both go on with it together.

  study.py EXAMPLE FOLDER     the built example `study` of cupel-tune, and a folder that is emptied first
"""

import json
import math
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import warnings

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

STUDY = pathlib.Path(sys.argv[1]).resolve()
FOLDER = pathlib.Path(sys.argv[2])
OPTIMISERS = ["sgd", "adam"]


def work(journal, trials, seed):
    return subprocess.Popen([STUDY, "work", journal, str(trials), str(seed)])


def show(journal):
    return json.loads(subprocess.run([STUDY, "show", journal], check=True, capture_output=True).stdout)


def load(journal, open_lock=False):
    lock = JournalFileOpenLock(str(journal)) if open_lock else None
    return optuna.load_study(study_name="shared", storage=JournalStorage(JournalFileBackend(str(journal), lock)))


def objective(trial):
    rate = trial.suggest_float("rate", 1e-5, 1e-1, log=True)
    drop = trial.suggest_float("drop", 0.0, 0.5, step=0.1)
    trial.suggest_int("width", 32, 512, step=32)
    momentum = 0.5
    if trial.suggest_categorical("optimiser", OPTIMISERS) == "sgd":
        momentum = trial.suggest_float("momentum", 0.0, 0.99)
    trial.set_user_attr("language", "python — ½")
    trial.report(math.nan if trial.number % 2 else math.inf, 0)
    loss = (math.log10(rate) + 3) ** 2 + drop + abs(momentum - 0.9)
    trial.report(loss, 1)
    time.sleep(0.01)
    return loss


def number(value):
    """As the example prints it: JSON has no infinity."""
    return value if math.isfinite(value) else {math.inf: "inf", -math.inf: "-inf"}.get(value, "NaN")


def compare(journal):
    """What Optuna reads and what cupel reads are the same."""
    study, ours = load(journal), show(journal)
    assert ours["name"] == study.study_name and study.metric_names == ["loss"], study.metric_names
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert len(study.trials) == len(ours["trials"]), (len(study.trials), len(ours["trials"]))
    for theirs, own in zip(study.trials, ours["trials"]):
        assert theirs.number == own["number"]
        assert {"FAIL": "FAILED"}.get(theirs.state.name, theirs.state.name) == own["state"], (theirs, own)
        assert theirs.params == own["params"], (theirs.params, own["params"])
        assert (theirs.values and [number(value) for value in theirs.values]) == own["values"], (theirs.values, own)
        steps = {str(step): number(value) for step, value in theirs.intermediate_values.items()}
        assert steps == own["intermediate"], (steps, own["intermediate"])
        assert theirs.user_attrs.get("language") == own["language"]
        assert theirs.system_attrs.get("retry_history", []) == own["retry_history"]
        if theirs.state.is_finished():
            assert theirs.datetime_start <= theirs.datetime_complete
    assert study.best_trial.number == ours["best"]
    return study, ours


def alone(journal):
    assert work(journal, 40, 1).wait() == 0
    study, ours = compare(journal)
    states = {state.name: sum(trial.state == state for trial in study.trials) for state in optuna.trial.TrialState}
    assert len(study.trials) == 40 and states["FAIL"] == 1 and states["PRUNED"] > 0, states
    assert all(trial.state.name == "PRUNED" or 2 in trial.intermediate_values for trial in study.trials)
    shares = optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    # Optuna 4 leaves out what is not in every trial.
    ours = [name for name, _ in ours["importances"] if name != "momentum"]
    shares.pop("momentum", None)
    assert max(shares, key=shares.get) == ours[0], (shares, ours)
    print(f"Optuna {optuna.__version__} reads 40 trials as they were written: {states}")


def then_optuna(journal):
    study = load(journal)
    study.sampler = optuna.samplers.TPESampler(seed=1)
    study.enqueue_trial({"width": 64, "optimiser": "adam"})
    study.optimize(objective, n_trials=10)
    assert study.trials[40].params["width"] == 64
    study.enqueue_trial({"width": 96, "drop": 0.2})
    # The queue comes first, then one more.
    assert work(journal, 52, 2).wait() == 0
    study, ours = compare(journal)
    assert len(study.trials) == 52
    assert study.trials[50].params["width"] == 96 and ours["trials"][50]["language"] == "rust"
    print("Optuna goes on with a study of cupel, and cupel with that")


def together(journal):
    """Two workers of each, one of ours killed in the middle."""
    workers = [work(journal, 160, seed) for seed in (3, 4)]
    while not journal.exists() or len(load_or_none(journal) or []) < 10:
        time.sleep(0.02)
    code = (
        "import sys, runpy; sys.argv = ['study.py', '-', '-']; "
        f"names = runpy.run_path({str(pathlib.Path(__file__))!r}, run_name='worker'); "
        "names['optuna'].logging.set_verbosity(names['optuna'].logging.WARNING); "
        f"study = names['load']({str(journal)!r}, {{lock}}); study.optimize(names['objective'], n_trials=20)"
    )
    optunas = [subprocess.Popen([sys.executable, "-c", code.format(lock=lock)]) for lock in (False, True)]
    time.sleep(0.5)
    workers[0].send_signal(signal.SIGKILL)
    assert [process.wait() for process in optunas] == [0, 0]
    assert workers[1].wait() == 0
    workers[0].wait()
    study, _ = compare(journal)
    retried = [trial for trial in study.trials if trial.system_attrs.get("retry_history")]
    assert all(trial.state.is_finished() for trial in study.trials)
    by_optuna = sum(str(trial.user_attrs.get("language")).startswith("python") for trial in study.trials)
    assert by_optuna == 40, by_optuna
    assert len(study.trials) - len(retried) >= 160, (len(study.trials), len(retried))
    for trial in retried:
        failed = study.trials[trial.system_attrs["failed_trial"]]
        assert failed.state.name == "FAIL" and failed.params.items() <= trial.params.items()
    print(f"4 processes, 1 killed: {len(study.trials)} trials, {by_optuna} of Optuna, {len(retried)} retried")


def load_or_none(journal):
    try:
        return load(journal).trials
    except KeyError:
        return None


def dashboard(journal):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = "import sys; from optuna_dashboard._cli import main; sys.exit(main())"
    server = subprocess.Popen(
        [sys.executable, "-c", command, str(journal), "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        base = f"http://127.0.0.1:{port}/api/studies"
        for attempt in range(100):
            try:
                studies = json.load(urllib.request.urlopen(base, timeout=10))["study_summaries"]
                break
            except OSError:
                time.sleep(0.3)
        else:
            sys.exit("optuna-dashboard did not answer within 30 s")
        assert [study["study_name"] for study in studies] == ["shared"], studies
        detail = json.load(urllib.request.urlopen(f"{base}/{studies[0]['study_id']}", timeout=30))
        assert len(detail["trials"]) == len(show(journal)["trials"]), len(detail["trials"])
        print(f"optuna-dashboard shows {len(detail['trials'])} trials")
    finally:
        server.terminate()
        server.wait()


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    journal = FOLDER.resolve() / "journal"
    alone(journal)
    then_optuna(journal)
    dashboard(journal)
    together(FOLDER.resolve() / "shared")


if __name__ == "__main__":
    main()
