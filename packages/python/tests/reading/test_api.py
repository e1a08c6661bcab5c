"""Reading over the HTTP API, from the real server."""

from __future__ import annotations

import json
import math
import subprocess
import uuid
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import pytest
from server import REPOSITORY, Server, command

from evenkeel import Api
from evenkeel.api import ApiError
from evenkeel.wire.config import from_config

from .faulty_proxy import BUSY, faulty_proxy

START = 1_790_000_000_000
CONFIG = {"lr": 0.1, "model": {"layers": 4, "name": "a,b\\c"}, "clip": {"$number": "Infinity"}}
LONG_STEPS = 6_000


def recording(run: str, steps: list[dict], **about: object) -> list[dict]:
    first = {"type": "run", "id": run, "project": "read", "startedAt": START, **about}
    timed = [{"type": "step", "time": START + 1_000 * step["step"], **step} for step in steps]
    return [first, *timed, {"type": "finish", "status": "finished", "endedAt": START + 10_000_000}]


def import_runs(server: Server, folder: Path, lines: list[dict]) -> None:
    file = folder / "runs.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    subprocess.run(command("import", "--server", server.url, str(file)), check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Ids of imported runs by name: a short one with everything, an empty one and a long one."""
    ids = {name: str(uuid.uuid4()) for name in ("short", "empty", "long")}
    short = [
        {"step": 0, "loss": 2, "lr": 0.1, "tokens": 2**53 - 1, "tevQuantiles": [0, 1, 2, 3, 4, 5, 6, 7, "NaN"]},
        {"step": 1, "loss": "NaN", "custom": {"acc": 0.25, "loss": 7}},
        {"step": 2, "loss": "-Infinity", "custom": {"val, acc": "Infinity"}},
    ]
    long = [{"step": step, "loss": 1 / (step + 1), "custom": {"twice": 2 * step}} for step in range(LONG_STEPS)]
    lines = recording(ids["empty"], [], name="empty")
    lines += recording(ids["short"], short, name="short", config=CONFIG, tags=["t"], notes="*why*", owner="ada")
    lines += recording(ids["long"], long, name="long")
    import_runs(server, tmp_path_factory.mktemp("recording"), lines)
    return ids


@pytest.fixture
def api(server: Server) -> Api:
    return Api(server.url)


class TestRuns:
    def test_are_read_page_after_page_and_narrowed(
        self, server: Server, api: Api, runs: dict[str, str], tmp_path: Path
    ):
        many = [str(uuid.uuid4()) for _ in range(201)]
        import_runs(server, tmp_path, [line for run in many for line in recording(run, [], project="many", name=run)])
        found = [run.id for run in api.runs({"project": "many"})]
        assert sorted(found) == sorted(many)
        assert [run.name for run in islice(api.runs("project=many&sort=-name"), 2)] == sorted(many)[:-3:-1]

    @pytest.mark.parametrize(
        "filter",
        [
            "project=read&config=lr=0.1",
            "?project=read&tag=t",
            "http://somewhere/?project=read&q=short",
            {"project": "read", "config": {"lr": 0.1, "model.layers": 4, "model.name": "a,b\\c"}},
            {"project": "read", "status": ["finished", "lost"], "tag": "t", "archived": False},
            {"tag": "t", "from": datetime.fromtimestamp(START / 1_000, timezone.utc) - timedelta(1), "risk": None},
        ],
    )
    def test_are_filtered_as_on_the_board(self, api: Api, runs: dict[str, str], filter: object):
        assert [run.id for run in api.runs(filter)] == [runs["short"]]

    def test_one_has_what_was_recorded(self, api: Api, runs: dict[str, str], server: Server):
        for run in (api.run(runs["short"]), next(api.runs("tag=t"))):
            assert (run.project, run.name, run.status, run.owner, run.tags) == (
                "read",
                "short",
                "finished",
                "ada",
                ["t"],
            )
            assert (run.last_step, run.loss, run.notes) == (2, -math.inf, "*why*")
            assert run.started_at == datetime.fromtimestamp(START / 1_000, timezone.utc)
            assert run.config == {**CONFIG, "clip": math.inf}
            assert run.attempts[0]["policy"]["critical"] == {"kind": "observe"}
            assert run.url == f"{server.url}/runs/{run.id}"
            assert run.keys() == ["acc", "custom:loss", "val, acc"]

    def test_alerts_are_of_one_run_or_of_all(self, api: Api, runs: dict[str, str]):
        alerts = api.run(runs["short"]).alerts()
        assert [(alert.rule, alert.run, alert.run_name) for alert in alerts] == [("non-finite", runs["short"], "short")]
        assert alerts[0].step == 1
        assert alerts[0].opened_at.tzinfo is not None
        assert (alerts[0].feedback, alerts[0].feedback_at) == (None, None)
        assert alerts[0].outcome in ("running", "diverged")
        listed = api.alerts({"rule": "non-finite", "project": "read"})
        assert alerts[0].id in [alert.id for alert in listed]  # what became of its run may be known by now
        assert list(api.alerts({"run": runs["long"], "severity": "critical"})) == []


class TestHistory:
    def test_rows_hold_what_each_step_carries(self, api: Api, runs: dict[str, str]):
        first, second, third = api.run(runs["short"]).history()
        assert first == {"attempt": 1, "step": 0, "time": START, "loss": 2.0, "lr": 0.1, "tokens": 2**53 - 1}
        assert type(first["loss"]) is float
        assert math.isnan(second.pop("loss"))
        assert second == {"attempt": 1, "step": 1, "time": START + 1_000, "acc": 0.25, "custom:loss": 7.0}
        assert third == {"attempt": 1, "step": 2, "time": START + 2_000, "loss": -math.inf, "val, acc": math.inf}

    def test_keys_and_range_are_chosen(self, api: Api, runs: dict[str, str]):
        run = api.run(runs["short"])
        assert [row["step"] for row in run.history(["acc", "val, acc", "never logged"])] == [1, 2]
        [row] = run.history(["tevQuantiles"])
        assert row["tevQuantiles"][:8] == [0, 1, 2, 3, 4, 5, 6, 7]
        assert math.isnan(row["tevQuantiles"][8])
        assert [row["step"] for row in api.run(runs["long"]).history(["twice"], 10, 12)] == [10, 11, 12]
        assert [row["step"] for row in run.history(attempt=1, start=2)] == [2]
        with pytest.raises(ApiError, match="the run has no attempt 2"):
            run.history(attempt=2)
        assert api.run(runs["empty"]).history() == []

    def test_every_step_of_a_long_run_comes_once(self, api: Api, runs: dict[str, str]):
        rows = api.run(runs["long"]).scan_history(["twice", "loss"])
        for step, row in enumerate(rows):
            assert (row["step"], row["twice"], row["loss"]) == (step, 2.0 * step, 1 / (step + 1))
        assert step == LONG_STEPS - 1

    def test_pandas(self, api: Api, runs: dict[str, str]):
        pandas = pytest.importorskip("pandas")
        run = api.run(runs["short"])
        frame = run.history(["loss", "acc", "tokens", "tevQuantiles", "never logged"], format="pandas")
        assert frame["step"].tolist() == [0, 1, 2]
        assert frame["time"][1] == pandas.Timestamp(START + 1_000, unit="ms", tz="UTC")
        assert [frame[name].dtype.name for name in ("step", "loss", "tokens")] == ["int64", "float64", "Int64"]
        assert frame["loss"][0] == 2 and math.isnan(frame["loss"][1]) and frame["loss"][2] == -math.inf
        assert frame["tokens"][0] == 2**53 - 1 and frame["tokens"].isna().tolist() == [False, True, True]
        assert frame["acc"].isna().tolist() == [True, False, True]
        assert frame["never logged"].isna().all()
        empty = api.run(runs["empty"]).history(["loss"], format="pandas")
        assert (list(empty.columns), len(empty)) == (["attempt", "step", "time", "loss"], 0)

    def test_polars(self, api: Api, runs: dict[str, str]):
        polars = pytest.importorskip("polars")
        frame = api.run(runs["short"]).history(["loss", "acc", "tevQuantiles"], format="polars")
        assert frame.schema == {
            "attempt": polars.Int64,
            "step": polars.Int64,
            "time": polars.Datetime("ms", "UTC"),
            "loss": polars.Float64,
            "acc": polars.Float64,
            "tevQuantiles": polars.List(polars.Float64),
        }
        assert frame["acc"].to_list() == [None, 0.25, None]
        assert frame["loss"].is_nan().to_list() == [False, True, False]
        assert frame["time"][0] == datetime.fromtimestamp(START / 1_000, timezone.utc)


class TestFaults:
    @pytest.mark.parametrize("faults", [[1], [2, 1]])
    def test_a_history_that_breaks_off_is_continued_there(
        self, server: Server, runs: dict[str, str], faults: list[int]
    ):
        with faulty_proxy(server.url, None, *faults) as proxy:
            rows = Api(proxy.url).run(runs["long"]).history(["twice"])
        assert [row["step"] for row in rows] == list(range(LONG_STEPS))
        assert len([path for path in proxy.paths if "/history" in path]) == len(faults) + 1

    def test_one_that_never_gets_further_raises(self, server: Server, runs: dict[str, str]):
        with faulty_proxy(server.url, None, 0, 0) as proxy, pytest.raises(ApiError, match="broke off"):
            Api(proxy.url).run(runs["long"]).history()

    def test_a_busy_server_is_asked_again(self, server: Server, runs: dict[str, str]):
        with faulty_proxy(server.url, BUSY, BUSY) as proxy:
            assert Api(proxy.url).run(runs["short"]).name == "short"
        with faulty_proxy(server.url, *[BUSY] * 6) as proxy, pytest.raises(ApiError, match="503") as error:
            Api(proxy.url).run(runs["short"])
        assert error.value.status == 503

    def test_the_token_follows_no_redirect(self, server: Server):
        elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        with (
            faulty_proxy(server.url, elsewhere) as proxy,
            pytest.raises(ApiError, match=r"redirects to http://127\.0\.0\.1:1/"),
        ):
            list(Api(proxy.url, key="secret").runs())

    def test_a_server_that_is_away_is_named(self):
        with pytest.raises(ApiError, match=r"no answer from http://127\.0\.0\.1:1 .*evenkeel serve.*EVENKEEL_SERVER"):
            list(Api("http://127.0.0.1:1").runs())

    def test_what_is_wrong_is_named(self, api: Api, runs: dict[str, str]):
        with pytest.raises(ApiError, match=r"^there is no run") as error:
            api.run(str(uuid.uuid4()))
        assert error.value.status == 404
        with pytest.raises(ApiError, match="there is no parameter stauts: there are q, status"):
            list(api.runs({"stauts": "running"}))
        with pytest.raises(ApiError, match=r"^config: must be"):
            list(api.runs("config=lr"))
        run = api.run(runs["short"])
        for call, field in [
            (lambda: run.history("loss"), "keys"),
            (lambda: run.history([]), "keys"),
            (lambda: run.history([f"{at}" * 200 for at in range(99)]), "keys"),
            (lambda: run.history(format="csv"), "format"),
            (lambda: Api("nowhere"), "server"),
        ]:
            with pytest.raises(ValueError, match=f"^{field}: "):
                call()

    def test_an_access_token_is_presented(self, own_server: Server, monkeypatch: pytest.MonkeyPatch):
        token = "a token for this test"
        monkeypatch.setenv("EVENKEEL_ACCESS_TOKEN", token)
        url = own_server.start().url
        assert list(Api(url).runs()) == []
        monkeypatch.delenv("EVENKEEL_ACCESS_TOKEN")
        assert list(Api(f"{url}/", key=token).runs()) == []
        with pytest.raises(ApiError, match="requires its access token: set EVENKEEL_ACCESS_TOKEN") as error:
            list(Api(url).runs())
        assert error.value.status == 401


def test_a_configuration_is_read_as_the_protocol_says():
    cases = json.loads((REPOSITORY / "packages/protocol/fixtures/config.json").read_text())["cases"]
    for case in cases:
        for path, number in case["read"].items():
            value = from_config(case["kept"])
            for key in path.split("."):
                value = value[int(key) if isinstance(value, list) else key]
            assert not isinstance(value, dict)
            assert str(value) == str(float(number) if "N" in number or "I" in number else int(number))
        if not case["read"]:
            assert from_config(case["kept"]) == case["kept"]
