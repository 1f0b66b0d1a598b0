"""The frame of a client's script: cases that run one after the other and report each
as one line of JSON, which the Go test that started the script reads."""

import json
import os
import sys
import traceback

URL = os.environ["COFFER_URL"]
_cases = []


def case(function):
    """Takes a function as a case; its name is the case's, its path prefix its own."""
    _cases.append(function)
    return function


def run(*args):
    for function in _cases:
        report = {"case": function.__name__, "why": ""}
        try:
            function(*args, function.__name__.lower())
        except Exception:  # whatever a client raises is what the case shows
            report["why"] = traceback.format_exc(limit=-4)
        json.dump(report, sys.stdout)
        print(flush=True)


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def refused(kind, call, text=""):
    """Wants an exception of this very kind, whose text holds another."""
    try:
        got = call()
    except Exception as error:
        if type(error) is not kind or text not in str(error):
            raise AssertionError(f"got {error!r}, want {kind.__name__} with {text!r}") from error
        return error
    raise AssertionError(f"got {got!r}, want {kind.__name__}")
