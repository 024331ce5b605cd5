"""The command line: `upbench COMMAND`. One file in `commands/` per command, imported when it is called.

Faults of the user end in one line on standard error and an exit code: 2 input, 3 environment, 4 data, 5 trials failed,
6 nothing was measured (no trial has a number), 75 stopped and to be continued by the same command. Anything unforeseen
ends in one line, a log file, and 70.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time

BEGAN = time.perf_counter()

import click  # noqa: E402

from harness.errors import UserError, brief, nearest  # noqa: E402

COMMANDS = {
    "run": "run what is not done yet of a study",
    "plan": "show a study's trials, solved budgets and what is done",
    "status": "show what is committed, and how runs went",
    "list": "list methods, datasets, metrics, figures, tables, studies, results, columns",
    "report": "draw a study's figures and tables",
    "site": "write a leaderboard and pages of the published studies",
    "recommend": "say which method and budget to take within limits",
    "power": "say how many seeds and identities a difference takes",
    "evaluate": "measure kept models on further data sets, without training",
    "inspect": "write pictures, features and attention of one trial",
    "data": "check, make or pack a data set",
    "weights": "say what a file of weights is",
    "search": "find the images of a folder that a sentence describes",
    "encode": "write features of a folder of images or a data set",
    "export": "write a kept model in another library's form",
    "bench": "measure the harness against naive baselines",
    "doctor": "examine whether results are right on this machine, and how fast it is",
    "schema": "print a JSON Schema of study files, for editors",
    "check-method": "ask every promise of a method in a file",
    "publish": "copy a study's results to the published ones",
    "merge": "take over the results of other stores",
    "compact": "put the trials of a store together in few files",
}


class Commands(click.Group):
    """Commands by name of their file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command's file."""
        if name not in COMMANDS:
            return None
        import importlib

        return importlib.import_module(f"harness.cli.commands.{name.replace('-', '_')}").command

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """As click does, with the nearest known name when there is none."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UserError(f"no command '{args[0]}'", expected=", ".join(COMMANDS), nearest=nearest(args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(package_name="upbench", prog_name="upbench", message="%(prog)s %(version)s")
def commands() -> None:
    """Benchmark parameter-efficient adaptation of CLIP to text-based person retrieval."""


def main(args: list[str] | None = None) -> None:
    """Entry point; exits."""
    # A polite request to end, batch systems' included, takes the same way as Ctrl-C: clean up, say so, 75.
    for name in ("SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    given = sys.argv[1:] if args is None else args
    if given[:1] in (["run"], ["evaluate"]) and "serial" not in given:
        from harness.execution.ray.keeper import kept

        sys.exit(kept(lambda: call(args)))
    sys.exit(call(args))


def call(args: list[str] | None = None) -> int:
    """Run a command and return its exit code; faults become lines on standard error."""
    kept: dict[str, object] = {"began": BEGAN if args is None else time.perf_counter()}
    try:
        commands.main(args, prog_name="upbench", standalone_mode=False, obj=kept)
    except UserError as error:
        return _say(str(error), error.exit_code)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _say(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        return _say("stopped; the same command continues", 75)
    except BrokenPipeError:
        # The reader of our output is gone, as in `upbench list methods | head -1`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            return _say(f"{brief(str(error.filename))}: too long for the file system; expected a shorter path", 2)
        from harness.api.asking import log

        text = " ".join(str(error).split())[:200]
        return _say(f"unforeseen {type(error).__name__}: {text}; details in {log(kept.get('store'))}", 70)
    return 0


def _say(text: str, code: int) -> int:
    for line in text.splitlines() or [""]:
        click.echo(f"upbench: error: {line}", err=True)
    return code
