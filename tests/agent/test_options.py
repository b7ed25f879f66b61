"""What an operator may say, and what is said back when it makes no sense."""

import pathlib

import pytest

from proxyagent.options import Wrong, parse, port
from proxyagent.protocol import WorkloadPort


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path):
    file = tmp_path / "agent.yaml"
    file.write_text(
        "name: from-file\nnamespace: from-file\nservice-account: from-file\nlabel: {app: reviews, version: v1}\nport: ['9080:http']\n"
    )
    options = parse(["--config", str(file), "--name", "flag"], {"MESHCONSOLE_NAME": "env", "MESHCONSOLE_NAMESPACE": "env"})
    w = options.workload
    assert (w.name, w.namespace, w.service_account) == ("flag", "env", "from-file")
    assert w.labels == {"app": "reviews", "version": "v1"} and w.ports == (WorkloadPort(9080, "http"),)


def test_every_flag_of_the_demo_is_understood(tmp_path):
    (tmp_path / "token").write_text("mjt_secret\n")
    text = f"""--console ws://127.0.0.1:8000 --token-file {tmp_path}/token --namespace default --name reviews-v1 --service-account reviews
        --service reviews --label version=v1 --label app=reviews --address 127.0.1.3 --port 9080:http=127.0.2.3:9080 --outbound-address 127.0.1.3
        --outbound-port 15001 --kind sidecar --state-dir {tmp_path}/state --health http:/health --admin-port 15020 --concurrency 1"""
    options = parse(text.split(), {})
    assert options.token == "mjt_secret" and "mjt_secret" not in repr(options)
    assert options.workload.ports == (WorkloadPort(9080, "http", "127.0.2.3", 9080),)
    assert options.state_dir == pathlib.Path(tmp_path, "state") and options.admin_port == 15020


def test_lists_in_the_environment_are_separated_by_commas():
    options = parse(
        ["--name", "a"],
        {"MESHCONSOLE_LABEL": "a=1, b=2", "MESHCONSOLE_PORT": "80:http,443:https=127.0.0.2:8443", "MESHCONSOLE_JOIN_TOKEN": "t"},
    )
    assert options.workload.labels == {"a": "1", "b": "2"} and options.token == "t"
    assert options.workload.ports == (WorkloadPort(80, "http"), WorkloadPort(443, "https", "127.0.0.2", 8443))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", WorkloadPort(80)),
        ("80:grpc-web", WorkloadPort(80, "grpc-web")),
        ("80=:8080", WorkloadPort(80, "", "127.0.0.1", 8080)),
        ("80:http=[::1]:8080", WorkloadPort(80, "http", "::1", 8080)),
        ("80:web@kubernetes.io/h2c", WorkloadPort(80, "web", app_protocol="kubernetes.io/h2c")),
        ("80@grpc=:8080", WorkloadPort(80, "", "127.0.0.1", 8080, "grpc")),
    ],
)
def test_ports(text, expected):
    assert port(text) == expected


def test_a_port_of_the_file_may_say_what_a_service_says(tmp_path):
    file = tmp_path / "agent.yaml"
    file.write_text("name: a\nport: [{number: 80, name: web, appProtocol: grpc, app: '127.0.0.1:8080'}, 81]\n")
    ports = parse(["--config", str(file)], {}).workload.ports
    assert ports == (WorkloadPort(80, "web", "127.0.0.1", 8080, "grpc"), WorkloadPort(81))
    file.write_text("name: a\nport: [{number: 80, targetPort: 8080}]\n")
    with pytest.raises(Wrong, match="targetPort"):
        parse(["--config", str(file)], {})


def test_a_member_of_a_group_needs_only_its_address():
    options = parse([], {"MESHCONSOLE_WORKLOAD_GROUP": "shop/vm", "MESHCONSOLE_ADDRESS": "10.0.0.7", "MESHCONSOLE_NETWORK": "home"})
    w = options.workload
    assert (w.namespace, w.name, w.group) == ("shop", "vm-10.0.0.7-home", "vm")
    assert (w.service_account, w.weight) == ("", 0), "the group says these"
    assert not options.allow_exec_probes


def test_a_members_own_word_is_kept():
    w = parse(["--workload-group", "vm", "--address", "fd00::7", "--service-account", "a", "--weight", "5"], {}).workload
    assert (w.namespace, w.name, w.service_account, w.weight) == ("default", "vm-fd00--7", "a", 5)
    assert parse(["--workload-group", "vm", "--name", "mine"], {}).workload.name == "mine"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("10.0.0.2:5353", ("10.0.0.2", 5353)),
        ("fd00::2", ("fd00::2", 53)),
        ("[fd00::2]", ("fd00::2", 53)),
        ("[fd00::2]:5353", ("fd00::2", 5353)),
    ],
)
def test_resolvers(text, expected):
    assert parse(["--name", "a", "--dns-resolver", text], {}).dns_resolvers == (expected,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--name is needed"),
        (["--name", "a b"], "--name 'a b'"),
        (["--name", "../x"], "--name '../x'"),
        (["--name", "a", "--port", "http"], "NUMBER[:NAME][@PROTOCOL][=ADDRESS:PORT]"),
        (["--name", "a", "--port", "0"], "from 1 to 65535"),
        (["--name", "a", "--label", "x"], "KEY=VALUE"),
        (["--name", "a", "--token-file", "/nowhere"], "--token-file"),
        (["--name", "a", "--outbound-port", "99999"], "--outbound-port 99999"),
        (["--name", "a", "--config", "/nowhere.yaml"], "--config"),
        (["--name", "a", "--envoy-log-level", "loud"], "--envoy-log-level 'loud'"),
        (["--workload-group", "shop/vm", "--namespace", "other"], "another namespace than --namespace 'other'"),
        (["--workload-group", "shop/"], "expected NAME or NAMESPACE/NAME"),
        (["--name", "a", "--dns-resolver", "dns.example.com"], "--dns-resolver 'dns.example.com'"),
        (["--name", "a", "--dns-resolver", "10.0.0.2:0"], "--dns-resolver '10.0.0.2:0'"),
    ],
)
def test_what_makes_no_sense_is_said_by_its_name(arguments, words):
    with pytest.raises(Wrong) as e:
        parse(arguments, {})
    assert words in str(e.value)


@pytest.mark.parametrize(
    ("text", "words"), [("nam: x", "there is no option 'nam'"), ("- a", "mapping"), ("a: [", "--config"), ("{", "--config")]
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path, text, words):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(Wrong, match=words):
        parse(["--config", str(tmp_path / "c.yaml")], {})
