"""Blocks of Markdown, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import (
    CodeBlock,
    Heading,
    HorizontalRule,
    ListElement,
    Markdown,
    TableElement,
)
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table

from .region import Line, stripped

# Definitions of links would change what was printed long before. What a terminal has nothing for
# (HTML, images) stands as it was written.
_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["strikethrough", "table"])
    .disable(["reference", "image", "autolink"])
)
Block = list[Token]
_ITEM = ("list_item_open", 1)


def parsed(source: str) -> list[Block]:
    """Return the blocks of a text."""
    blocks: list[Block] = []
    for token in _PARSER.parse(source):
        if token.level == 0 and token.nesting >= 0:
            blocks.append([])
        blocks[-1].append(token)
    return blocks


def finished_part(block: Block, at: int) -> tuple[Block, int, int]:
    """Return what of a block can not change; where the rest goes on, and its line in the source.

    Nothing, but for the lines of code, and for all items of a list but the last.
    """
    first = block[0]
    line = first.map[0] if first.map else 0
    if first.type == "fence":
        code = _code(first.content)
        count = code.count("\n") + 1 if code else 0
        return (block if count > at else []), max(count, at), line
    heads = [n for n, token in enumerate(block) if (token.type, token.level) == _ITEM]
    if len(heads) < 2:
        return [], at, line
    at = (at or int(first.attrs.get("start", 1))) + len(heads) - 1
    last = block[heads[-1]]
    return [*block[: heads[-1]], block[-1]], at, last.map[0] if last.map else line


def begin_at(block: Block, at: int) -> None:
    """Let a block go on: a list with that number, code after that many lines."""
    block[0].attrs["start"] = at


def drawn(console: Console, block: Block) -> list[Line]:
    """Draw a block."""
    lines = [stripped(line) for line in console.render_lines(_Markdown(block), pad=False)]
    # Rich leaves a line above a block that holds others.
    return lines if block[0].type == "fence" else list(dropwhile(lambda line: not line, lines))


def _code(text: str) -> str:
    """Take off what can not be seen: blanks at the ends of lines, and blank lines at the end."""
    return "\n".join(map(str.rstrip, text.rstrip().split("\n")))


class _Heading(Heading):
    """A heading like any other text: to the left, and without the frame that some versions draw."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text


class _Code(CodeBlock):
    """Code in the terminal's own colours, without a frame around it that copying would take too."""

    begin = 0

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Code:
        block = cls(token.info.partition(" ")[0] or "text", "ansi_dark")
        block.begin = int(token.attrs.get("start", 0))
        return block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Syntax(
            _code(str(self.text)),
            self.lexer_name,
            theme=self.theme,
            background_color="default",
            word_wrap=True,
            padding=(0, 0, 0, 2),
            line_range=(self.begin + 1, None),
        )


class _Numbered(ListElement):
    """A numbered list that is not indented deeper when further items make its numbers longer."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, item in enumerate(self.items, self.list_start or 0):
            yield from item.render_number(console, options, number, max(number, 10))


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in super().__rich_console__(console, options):
            if isinstance(part, Table):
                part.show_edge = False
            yield part


class _Rule(HorizontalRule):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Rule]:
        yield Rule(style="dim")


class _Markdown(Markdown):
    elements = {  # noqa: RUF012
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "ordered_list_open": _Numbered,
        "table_open": _Table,
        "hr": _Rule,
    }

    def __init__(self, block: list[Token]) -> None:
        super().__init__("", hyperlinks=False)
        self.parsed = block
