"""gateway.toml: what is wrong is named with its key and the nearest right one; secrets are shown to nobody."""

import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from judder.errors import InputError
from judder.gateway import config, source
from judder.gateway.config import Config, ConfigError
from judder.gateway.options import shown

GOOD = """
[[source]]
type = "mqtt"
host = "broker.example"

[[sink]]
type = "influx"
url = "http://127.0.0.1:8086"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text)
    path.chmod(0o644)
    return path


def load(folder: Path, text: str, **environ: str) -> Config:
    return config.load(written(folder, text), environ=environ)


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **environ)
    prefix = f"{folder / 'gateway.toml'}: "
    assert all(line.startswith(prefix) for line in caught.value.problems)
    return [line.removeprefix(prefix) for line in caught.value.problems]


def test_without_a_file_it_works_at_once(tmp_path: Path) -> None:
    found = config.load(None, environ={}, data=tmp_path)
    assert list(found.plan.sources) == ["broker"] and list(found.plan.sinks) == ["ndjson", "sqlite"]
    assert found.plan.spool == tmp_path / "spool.db" and found.health == ("127.0.0.1", 9877)
    assert found.options["sink sqlite"]["path"] == str(tmp_path / "judder.db")
    assert config.load(None, environ={}).data == Path.cwd() / "judder-data"
    assert config.load(None, environ={"STATE_DIRECTORY": "/var/lib/judder:/x"}).data == Path("/var/lib/judder")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("[servce]\n", "there is no section 'servce'; did you mean 'service'?"),
        ("[service]\nhelth = ''\n", "[service]: there is no key 'helth'; did you mean 'health'?"),
        ("[spool]\nmax_gb = 1\n", "[spool]: there is no key 'max_gb'; did you mean 'max_mb'?"),
        ("[nodes]\nunkown = 'mark'\n", "[nodes]: there is no key 'unkown'; did you mean 'unknown'?"),
        ("[nodes]\nzzz = 1\n", "[nodes]: there is no key 'zzz'; there are names, remembered, unknown"),
        ("[service]\nlog_level = 'loud'\n", "[service]: log_level: 'loud' is not one of debug, info, warning, error"),
        ("[service]\ngrace_s = true\n", "[service]: grace_s: a number is expected, not true"),
        ("[service]\nhealth = '9877'\n", "[service]: health: '9877' is no address and port, as 127.0.0.1:9877"),
        ("[spool]\nmax_mb = '1'\n", "[spool]: max_mb: a number is expected, not a text"),
        ("[spool]\nmax_mb = inf\n", "[spool]: max_mb: a number is expected, not the number inf"),
        ("[spool]\nmax_mb = 0\n", "[spool]: max_mb: 0 is not at least 1"),
        ("[spool]\nwhen_full = 'panic'\n", "[spool]: when_full: 'panic' is not drop-oldest or wait"),
        ("[nodes.names]\nabc = 'x'\n", "[nodes]: names: 'abc' is no EUI-64; 16 hex digits are expected"),
        ("[nodes]\nunknown = 'mark'\n", "[nodes]: unknown: 'mark' needs [nodes.names], the nodes that are known"),
        ("[[source]]\ntype = 'mqt'\n", "[[source]] 2 mqt: type: there is no source 'mqt'; did you mean 'mqtt'?"),
        ("[[source]]\nhost = 'x'\n", "[[source]] 2: type: is missing; types are broker, mqtt, "),
        ("[[source]]\ntype = 'mqtt'\n", "[[source]] 2 mqtt: name: there is one of that name already"),
        ("[[source]]\ntype = 'mqtt'\nname = 'a b'\n", "[[source]] 2 a b: name: up to 32 letters, digits, - and _"),
        ("[[source]]\ntype = 'mqtt'\nname = 'b'\nhsot = 'x'\n", "2 b: there is no key 'hsot'; did you mean 'host'?"),
        ("[[source]]\ntype = 'tts'\n", "[[source]] 2 tts: application: is missing"),
        ("[[source]]\ntype = 'mqtt'\nname = 'b'\nport = 1.5\n", "port: a whole number is expected, not the number 1.5"),
        ("[[source]]\ntype = 'mqtt'\nname = 'b'\nport = 70000\n", "port: 70000 is not one of 1 to 65535"),
        ("[[source]]\ntype = 'mqtt'\nname = 'b'\ntopics = 'x'\n", 'topics: an array, as ["one", "two"]'),
        ("[[source]]\ntype = 'mqtt'\nname = 'b'\nca_file = 'none.pem'\n", "ca_file: cannot use"),
        ("[[source]]\ntype = 'broker'\nhost = '0.0.0.0'\n", "users: 0.0.0.0 can be reached by others"),
        ("[[sink]]\ntype = 'inflx'\n", "[[sink]] 2 inflx: type: there is no sink 'inflx'; did you mean 'influx'?"),
        ("[[sink]]\ntype = 'csv'\nbatchsize = 5\n", "[[sink]] 2 csv: there is no key 'batchsize'; did you mean"),
        ("[[sink]]\ntype = 'csv'\nretry_max_s = 0\n", "[[sink]] 2 csv: retry_max_s: a number of at least 1"),
        ("[[sink]]\ntype = 'csv'\nkinds = ['readings']\n", "[[sink]] 2 csv: kinds: 'readings' is not one of"),
        ("[[sink]]\ntype = 'csv'\n[[sink]]\ntype = 'csv'\nname = 'c2'\n", " c2: {} is written by csv already"),
        ("[[sink]]\ntype = 'webhook'\nurl = 'x'\n", "[[sink]] 2 webhook: url: an address is expected"),
    ],
)  # fmt: skip
def test_one_wrong_thing_is_named(tmp_path: Path, changed: str, expected: str) -> None:
    (found,) = problems(tmp_path, GOOD + changed)
    assert expected.format(tmp_path / "judder-data" / "csv") in found


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = "[spol]\n[service]\nlog = 1\n[[source]]\ntype='mqtt'\nhots='x'\nprot=1\n"
    found = problems(tmp_path, text)
    assert len(found) == 5 and found[-1].startswith("there is no [[sink]]; types are ndjson")


def test_a_wrong_key_hides_no_wrong_value(tmp_path: Path) -> None:
    text = "[[source]]\ntype='broker'\n[[sink]]\ntype='csv'\n[[sink]]\ntype='csv'\nkids=1\nbatch_size=0\n"
    text += "[[sink]]\ntype='influx'\nurl='http://x'\nbukcet='b'\n"
    found = problems(tmp_path, text)
    assert [problem.partition("; ")[0] for problem in found] == [
        "[[sink]] 2 csv: name: there is one of that name already",
        "[[sink]] 2 csv: there is no key 'kids'",
        "[[sink]] 2 csv: batch_size: 0 is not at least 1",
        # And not that the bucket's name is expected, of which the first is the cause.
        "[[sink]] 3 influx: there is no key 'bukcet'",
    ]


def test_single_brackets(tmp_path: Path) -> None:
    assert problems(tmp_path, "[source]\ntype = 'mqtt'\n[[sink]]\ntype = 'csv'\n") == [
        "[source]: write [[source]], with two brackets: there may be several"
    ]


def test_no_toml_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no TOML.*line 1"):
        load(tmp_path, "[[source\n")
    with pytest.raises(InputError, match="No such file"):
        config.load(tmp_path / "none.toml", environ={})


def test_paths_lie_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    text = """
    [service]
    data = "var"
    [[source]]
    type = "file"
    path = "in.ndjson"
    [[source]]
    type = "mqtt"
    user = "u"
    password = { file = "password" }
    [[sink]]
    type = "ndjson"
    path = "out.ndjson"
    [[sink]]
    type = "csv"
    folder = "/abs"
    """
    found = load(tmp_path, text)
    assert found.data == tmp_path / "var" and found.plan.spool == tmp_path / "var" / "spool.db"
    assert found.options["source file"]["path"] == str(tmp_path / "in.ndjson")
    assert found.options["sink ndjson"]["path"] == str(tmp_path / "var" / "out.ndjson")
    assert found.options["sink csv"]["folder"] == "/abs"


def test_secrets_come_from_elsewhere_and_are_shown_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken-of-file\r\n")
    (tmp_path / "hook").write_text("whsec_" + "A" * 32)
    text = """
    [[source]]
    type = "tts"
    application = "plant@ttn"
    password = { env = "TTS_KEY" }
    [[sink]]
    type = "influx"
    url = "http://127.0.0.1:8086"
    token = { file = "token" }
    [[sink]]
    type = "webhook"
    url = { env = "HOOK" }
    secret = { credential = "hook" }
    headers = { "X-Key" = { env = "TTS_KEY" } }
    """
    given = {"TTS_KEY": "k3y-of-env", "HOOK": "https://hooks.example/services/h00k"}
    found = load(tmp_path, text, **given, CREDENTIALS_DIRECTORY=str(tmp_path))
    said = json.dumps(found.options) + repr(found)
    for word in ("k3y-of-env", "t0ken-of-file", "h00k", "A" * 32):
        assert word not in said
    assert found.options["sink influx"]["token"] == "(set)" and found.options["sink influx"]["password"] == ""
    sink: Any = found.plan.sinks["influx"].sink
    assert sink._headers["Authorization"] == "Token t0ken-of-file"
    assert not found.warnings
    assert problems(tmp_path, text, HOOK="https://x.example") == [
        "[[source]] 1 tts: password: the environment has no TTS_KEY",
        "[[sink]] 2 webhook: secret: credential 'hook': only systemd hands these over; the unit needs LoadCredential=",
        "[[sink]] 2 webhook: headers: the environment has no TTS_KEY",
    ]


def test_a_secret_that_cannot_be_found(tmp_path: Path) -> None:
    for given, expected in (
        ('{ env = "NONE" }', "token: the environment has no NONE"),
        ('{ file = "none" }', f"token: cannot read {tmp_path / 'none'}: No such file or directory"),
        ('{ flie = "x" }', "token: there is no key 'flie'; did you mean 'file'?"),
        ("{ env = 1 }", "token: a text is expected, or where to find it"),
        ("5", "token: a text is expected, not the number 5"),
    ):
        (found,) = problems(tmp_path, GOOD + f"token = {given}\n")
        assert expected in found


def test_secrets_in_a_file_others_may_read_are_warned_of(tmp_path: Path) -> None:
    text = GOOD + 'token = "abc"\n'
    (warning,) = load(tmp_path, text).warnings
    assert "[[sink]] 1 influx: token in it: chmod 600" in warning and "abc" not in warning
    (tmp_path / "gateway.toml").chmod(stat.S_IRUSR)
    assert not config.load(tmp_path / "gateway.toml", environ={}).warnings


def test_a_health_address_others_reach_is_warned_of(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD + "[service]\nhealth = ''\n").health is None
    assert load(tmp_path, GOOD + "[service]\nhealth = '[::1]:80'\n").health == ("::1", 80)
    found = load(tmp_path, GOOD + "[service]\nhealth = '0.0.0.0:80'\n")
    assert found.health == ("0.0.0.0", 80) and "others may read" in found.warnings[0]


def test_the_example_holds_every_source_and_is_the_default(tmp_path: Path) -> None:
    found = load(tmp_path, config.EXAMPLE)
    assert list(found.plan.sources) == ["broker"] and list(found.plan.sinks) == ["ndjson", "sqlite"]
    # With every line in force, it is still in order; the keys that stand there exist.
    lines = [line[2:] if line.startswith("# ") and ("=" in line or "[[" in line) else line
             for line in config.EXAMPLE.splitlines()[3:]]  # fmt: skip
    whole = "\n".join(line for line in lines if not line.startswith("# "))
    kinds = {row["type"] for row in tomllib.loads(whole)["source"]}
    assert kinds == set(source.names())
    (tmp_path / "pump3.password").write_text("secret")
    environ = dict.fromkeys(("MQTT_PASSWORD", "NATS_PASSWORD", "TTS_KEY", "INFLUX_TOKEN", "JUDDER_DB_PASSWORD"), "x")
    environ |= {"ALARM_HOOK": "https://x.example", "ALARM_HOOK_SECRET": "whsec_" + "A" * 32}
    load(tmp_path, whole, **environ)


@pytest.mark.parametrize("name", source.names())
def test_every_option_of_a_source_is_described(name: str) -> None:
    plugin = source.load(name)
    described = " ".join(cls.__doc__ or "" for cls in plugin.options.__mro__)
    for key in plugin.options.__dataclass_fields__:
        assert key in described, key


def judder(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "judder.cli.main", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environ})


def test_check_says_what_would_run(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + 'token = { env = "T" }\n')
    done = judder("--config", str(path), "--check", T="t0p")
    assert done.returncode == 0 and not done.stderr and "t0p" not in done.stdout
    assert f"{path} is in order" in done.stdout
    assert "source  mqtt: mqtt://broker.example:1883 judder/+/up, judder/+/status" in done.stdout
    assert "sink    influx: influx" in done.stdout and "url=http://127.0.0.1:8086" in done.stdout
    row = json.loads(judder("--config", str(path), "--check", "--json", T="t0p").stdout)
    assert row["sinks"]["influx"]["token"] == "(set)" and row["sources"]["mqtt"]["host"] == "broker.example"
    assert row["spool"] == {"file": str(tmp_path / "judder-data/spool.db"), "max_mb": 1024, "max_age_days": 30}
    assert not (tmp_path / "judder-data").exists()


def test_check_of_a_wrong_file(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "tokn = 'x'\n[spool]\nmax = 1\n")
    done = judder("--config", str(path), "--check")
    assert done.returncode == 7 and not done.stdout
    assert done.stderr.splitlines() == [
        f"judder: {path}: [spool]: there is no key 'max'; did you mean 'max_mb'?",
        f"judder: {path}: [[sink]] 1 influx: there is no key 'tokn'; did you mean 'token'?",
    ]
    row = json.loads(judder("--config", str(path), "--json").stdout)
    assert row["exit_code"] == 7 and "did you mean 'token'" in row["error"] and "max_mb" in row["error"]


def test_the_example_is_printed() -> None:
    assert judder("example").stdout == config.EXAMPLE


def test_shown_options_are_json() -> None:
    plugin = source.load("file")
    assert json.dumps(shown(plugin.options(path=Path("x")))) == '{"path": "x", "begin": "start"}'
