"""Reads what passes between a client and a Redis server: commands, and errors in the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hiredis

from celery_sentinel.brokers import other_servers
from tests.commands import questions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import relay

# What is no refusal of a command: the server is not ready, or a key is of another type.
_OF_THE_MOMENT = ("LOADING", "BUSY", "WRONGTYPE", "MASTERDOWN", "NOSCRIPT")


def ears(said: Callable[[list[str]], None], refused: Callable[[str], None]) -> relay.Ears:
    """Return what hears one connection; a command is the list of its words.

    A command is an array of strings, as an answer may be, so one parser reads both. Of a message
    that is published to workers the question it asks is heard, not its text.
    """
    commands, answers = hiredis.Reader(), hiredis.Reader()
    greeted = False

    def hear_client(data: bytes) -> None:
        nonlocal greeted
        if data == other_servers.GREETING:
            greeted = True
            said(["PING"])
            return
        commands.feed(data)
        while (command := commands.gets()) is not False:
            said(_words(command))

    def hear_server(data: bytes) -> None:
        if greeted:
            return  # that a stranger is refused is an answer like another
        answers.feed(data)
        while (answer := answers.gets()) is not False:
            for text in _errors(answer):
                if not text.startswith(_OF_THE_MOMENT):
                    refused(text)

    return hear_client, hear_server


def _words(command: list[bytes]) -> list[str]:
    if command[0].upper() == b"PUBLISH" and len(command) == len(("PUBLISH", "channel", "message")):
        command = [*command[:2], questions.in_envelope(command[2]).encode()]
    return [word.decode("utf-8", "replace") for word in command]


def _errors(answer: Any) -> Iterator[str]:
    if isinstance(answer, hiredis.ReplyError):
        yield str(answer)
    elif isinstance(answer, list):
        for one in answer:
            yield from _errors(one)
