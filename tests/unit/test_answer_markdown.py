from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from fabfile.screen.markdown import Reply
from fabfile.screen.region import Line, Region
from tests.support.glass import Glass


def drawn(pieces: Iterable[str], width: int = 80, height: int = 24) -> Glass:
    """A terminal in which Markdown was drawn after each piece."""
    glass = Glass(width, height)
    console = Console(file=glass, force_terminal=True, width=width, height=height)
    region, reply = Region(console, live=True), Reply(console)
    for piece in pieces:
        reply.add(piece)
        region.show(*reply.take())
    region.show(*reply.take(last=True))
    assert glass.clean
    return glass


def rows(*pieces: str, width: int = 80) -> list[str]:
    return drawn(pieces, width).rows[:-1]


ANSWER = """\
# Title

A paragraph with **strong** words, `code`, a [link](http://x.y/z) and a text that goes on.

1. one
2. two
   - nested

     ```sh
     echo "in a list"
     ```
3. three

| flag | meaning |
|------|---------|
| `a`  | the first of them |
| größe 模型 | 🚀 |

> quoted

---

```python
def f():
    '''A text

    over lines.'''
```

The end.
"""

_MARKS = (
    "- ", "* ", "1. ", "3) ", "10. ", "\n", "\n\n", "  ", "    ", "\t", "```", "```py\n", "~~~",
    "| a | b |\n|---|---|\n", "| x | `y|` |\n", "> ", "# ", "---\n", "===\n", "***", "**", "_", "`",
    "~~", "[a](b)", "[a]: http://x\n", "[a]", "![i](u)", "<b>", "</kbd>", "<!-- x", "<http://a.b>",
    "&#27;", "&#x202e;", "\\", "word ", "模型", "🚀", "def f():\n", '"""\n', "x" * 30,
    "\x1b[2J", "\x1b]8;;http://x\x1b\\", "\r", "\x9b", "\u202e", "[red]", "[/]", ":smile:", "1.\n",
    "-\n", "\ud83d", "|", ":-:|--\n",
)  # fmt: skip
_texts = st.lists(st.sampled_from(_MARKS) | st.text(max_size=4), max_size=25).map("".join)


@settings(deadline=None, max_examples=200)
@given(text=_texts, cuts=st.sets(st.integers(0, 200), max_size=12), width=st.integers(1, 60))
@example(text=ANSWER, cuts=set(range(0, len(ANSWER), 7)), width=40)
@example(text="1. a\n1.\nb", cuts=set(range(9)), width=20)
@example(text="\n\n1.\n1. a\n", cuts=set(range(9)), width=20)
@example(text="```\na  \n\n\nb\n", cuts=set(range(12)), width=4)
def test_markdown_looks_the_same_however_it_is_cut(text: str, cuts: set[int], width: int) -> None:
    at = [0, *sorted(cut for cut in cuts if 0 < cut < len(text)), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(at)]
    assert drawn(pieces, width).rows == drawn([text], width).rows


def test_an_answer_in_a_terminal() -> None:
    assert rows(ANSWER, width=50) == [
        "Title",
        "",
        "A paragraph with strong words, code, a link",
        "(http://x.y/z) and a text that goes on.",
        "",
        "  1 one",
        "  2 two",
        "     • nested",
        '         echo "in a list"',
        "  3 three",
        "",
        "flag        meaning",
        "─────────────────────────────",
        "a           the first of them",
        "größe 模型  🚀",
        "",
        "▌ quoted",
        "",
        "─" * 50,
        "",
        "  def f():",
        "      '''A text",
        "",
        "      over lines.'''",
        "",
        "The end.",
    ]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("[red]bold[/red] [link=file:///x]y[/link] :smile:", None),
        ("[secret](file:///etc/passwd)", None),
        ("[secret](/etc/passwd)", "secret (/etc/passwd)"),
        ("![logo](http://x/y.png)", "!logo (http://x/y.png)"),
        ("`List<int>` or List<int> <T> </kbd>", "List<int> or List<int> <T> </kbd>"),
        ("see <http://x.y>", None),
        ("a[^1] and [a]\n\n[a]: http://x", None),
        ("a&#27;[2Jb &#x202e;c", "a�[2Jb c"),
        ("a\x1b[2Jb\x1b]8;;http://x\x07c\x9bd\u2066e\ud800f", "a[2Jb]8;;http://xcdef"),
    ],
)
def test_what_markdown_has_no_form_for_stands_as_it_was_written(text: str, row: str | None) -> None:
    assert rows(text) == (row or text).split("\n")
    assert rows(*text) == rows(text)


@pytest.mark.parametrize(
    "block",
    [
        "\n\n".join(f"line{n}" for n in range(50)),
        "```\n" + "\n".join(f"line{n}" for n in range(50)) + "\n```",
        "\n".join(f"- line{n}" for n in range(50)),
        "| a |\n|---|\n" + "\n".join(f"| line{n} |" for n in range(50)),
        " ".join(f"line{n} and what else is said in it" for n in range(50)),
    ],
    ids=["paragraphs", "fence", "list", "table", "paragraph"],
)
def test_what_is_higher_than_the_screen_stands_above_it_once(block: str) -> None:
    pieces = [block[n : n + 9] for n in range(0, len(block), 9)]
    glass = drawn([*pieces, "\n\nThe end."], width=40, height=10)
    words = " ".join(glass.rows).split()
    assert [word for word in words if word.startswith("line")] == [f"line{n}" for n in range(50)]


def text(line: Line) -> str:
    return "".join(segment.text for segment in line)


def test_code_and_items_are_finished_line_by_line() -> None:
    reply = Reply(Console(width=40, force_terminal=True))
    taken = []
    for piece in (
        "Text:\n\n```\na",
        " = 1\nb",
        "\n```\n",
        "\n1. x\n1. y",
        "\n1. z\n   zz",
        "\nend\n",
    ):
        reply.add(piece)
        finished, live = reply.take()
        taken.append(
            [["".join(s.text for s in line) for line in part] for part in (finished, live)]
        )
    assert taken == [
        [["Text:"], ["", "  a"]],
        [["", "  a = 1"], ["  b"]],
        [["  b"], []],
        [[], ["", "  1 x", "  2 y"]],
        [["", "  1 x", "  2 y"], ["  3 z zz"]],
        [[], ["  3 z zz end"]],
    ]


@pytest.mark.parametrize("width", [30, 100])
def test_a_window_that_changes_its_width_keeps_each_line_once(width: int) -> None:
    glass = Glass(60, 24)
    console = Console(file=glass, force_terminal=True, width=60, height=24)
    region, reply = Region(console, live=True), Reply(console)
    reply.add("Above.\n\n" + " ".join(f"word{n}" for n in range(30)))
    region.show(*reply.take())
    # What a terminal makes of its lines then.
    resized = Glass(width, 24)
    resized.write("\n".join(glass.rows))
    console.size, console.file = (width, 24), resized
    reply.add(" and the rest")
    region.show(*reply.take(last=True))
    assert " ".join(" ".join(resized.rows).split()) == (
        "Above. " + " ".join(f"word{n}" for n in range(30)) + " and the rest"
    )
