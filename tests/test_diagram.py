"""`hedgerow diagram`: the chart as Mermaid and SVG, whatever names and guards a spec has."""

from __future__ import annotations

import os
import re
import shutil
import stat
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from generated import Sketch, sketches
from hypothesis import HealthCheck, given, settings

import hedgerow
from hedgerow.cli.main import main
from hedgerow.engine.diagram import dot, mermaid, picture
from hedgerow.engine.ir import Rule
from hedgerow.engine.load import loads

SPECS = Path(__file__).parent.parent / "specs"
GOLDEN = Path(__file__).parent / "golden" / "ir"
NESTED = """\
hedgerow: 1
name: nested
events: {tick: {x: {}}, stop: {}, go: {}}
state: {n: {initial: 0}}
let: {long_name_of_a_condition: n > 3}
machine:
  initial: outer
  fail_safe: end
  states:
    outer:
      initial: state
      on:
        stop: {to: end}
        go: {name: again, to: outer}
        tick: {name: count, if: tick.x > 3 and n < 5, do: bump}
      states:
        state:
          on: {tick: {if: long_name_of_a_condition and long_name_of_a_condition, to: deep, do: [bump, {set: {n: n}}]}}
        deep:
          initial: x
          states:
            x: {on: {go: {to: y}, stop: [{if: n == 1, to: outer}, {to: outer}]}}
            y: {on: {tick: {to: state}, stop: {to: deep}}}
            fin: {final: true}
    end: {on: {"error.*": {to: over}}}
    over: {final: true}
    x_start: {on: {"*": {to: note}}, always: {if: true, to: outer}}
    note: {on: {tick: {do: {set: {n: 1}}}}}
actions: {bump: [{set: {n: n + 1}}]}
"""
EXPECTED = """\
---
title: nested
---
stateDiagram-v2
    state "outer" as outer {
        state "state" as s__state
        state "deep" as deep {
            state "x" as x
            x : stop #91;n == 1#93;, to outer
            x : stop, to outer
            state "y" as y
            y : stop, to deep
            state "fin" as fin
            [*] --> x
            fin --> [*]
        }
        [*] --> s__state
    }
    state "end" as s__end
    state "over" as over
    state "x_start" as s__x_start
    state "note" as s__note
    s__note : tick / …
    [*] --> outer
    over --> [*]
    outer --> s__end : stop
    outer --> outer : go#58; again<br>in place, tick#58; count #91;tick.x #62; 3 and n #60; 5#93; / bump
    s__state --> deep : tick #91;long_name_of_a_condition and long_name_of_a_con…#93; / bump, …
    x --> y : go
    y --> s__state : tick
    s__end --> over : error.*
    s__x_start --> s__note : *
    s__x_start --> outer : always #91;true#93;
    note right of s__end
        an error that nothing else handles leads here
    end note
"""


def test_a_nested_chart_in_mermaid() -> None:
    assert mermaid(picture(loads(NESTED))) == EXPECTED


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sketch=sketches())
def test_mermaid_has_each_state_once_and_nothing_that_it_could_misread(sketch: Sketch) -> None:
    spec = loads(sketch.text)
    text = mermaid(picture(spec))
    names = re.findall(r'^ *state "(\w+)" as (\w+)', text, re.MULTILINE)
    assert sorted(name for name, _ in names) == sorted(state.name for state in spec.program().states)
    assert len({alias for _, alias in names}) == len(names)
    for line in text.splitlines()[4:]:
        what, colon, label = line.partition(" : ")
        assert re.fullmatch(r"[\w *\[\]\".{}>-]*", what.split(" as ")[0])
        assert not colon or re.fullmatch(r"(#\d+;|<br>|[A-Za-z0-9 _.,()+*/=…-])*", label)


@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_spec_is_drawn_with_all_its_states_and_transitions(path: Path) -> None:
    spec = hedgerow.load(path, permit=("HR302",))
    for text in (mermaid(picture(spec)), dot(picture(spec))):
        for state in spec.program().states:
            assert state.name.rpartition(".")[2] in text
        named = [rule.name.rpartition(".")[2] for rule in spec.program().rules if _is_named(rule)]
        assert named or not spec.program().rules
        for name in named:
            assert re.search(rf"\b{name}\b", text)


def _is_named(rule: Rule) -> bool:
    """Return whether a rule has a name of its own; one made from its place begins with its source."""
    return not rule.name.startswith(f"{rule.source}.")


CLOCKWORK = """\
---
title: clockwork
---
stateDiagram-v2
    state "off" as off
    state "plant" as plant {
        state "work" as work {
            state "idle" as idle
            state "busy" as busy
            busy : tick#58; up #91;tick.x #62; 0#93; / …
            busy : every 1d / …
            state "stuck" as stuck
            state "H back" as back
            state "done" as done
            [*] --> idle : / …
            done --> [*]
            note right of stuck
                an error in work that nothing else handles leads here
            end note
        }
        --
        state "watch" as watch {
            state "shut" as shut
            state "open" as open
            [*] --> shut
        }
    }
    [*] --> off
    state fork__1 <<fork>>
    off --> fork__1 : begin#58; start
    fork__1 --> busy
    fork__1 --> open
    idle --> busy : after wait
    shut --> open : tick
    open --> shut : *#58; rest #91;In(busy)#93;
    plant --> plant : begin, alarm#58; again, to H back
    work --> work : internal, alarm#58; inward, to busy
    back --> idle : by default / …
    note right of off
        an error that nothing else handles leads here
    end note
"""


def test_regions_history_timers_and_several_targets_in_mermaid() -> None:
    # Read by Mermaid 11 too, which draws every arrow of it.
    assert mermaid(picture(hedgerow.load(GOLDEN / "clockwork.yaml"))) == CLOCKWORK


def edges(text: str) -> set[tuple[str, str, str]]:
    """Return tail, head and the attributes of every arrow of a graph."""
    return {
        (tail, head, rest.strip())
        for tail, head, rest in re.findall(r'^ *"([^"]*)" -> "([^"]*)"((?: \[[^\]]*\])*);$', text, re.MULTILINE)
    }


def test_regions_are_boxes_and_several_targets_hang_on_a_bar_in_the_graph() -> None:
    text = dot(picture(hedgerow.load(GOLDEN / "clockwork.yaml")))
    for region in ("work", "watch"):
        assert f'label="{region}"; style="rounded,dashed"' in text
    assert 'label="plant"; style="rounded";' in text
    assert '"back" [label="H back", shape=ellipse];' in text
    found = edges(text)
    assert {
        ("off", "!fork 1", '[label="begin: start", arrowhead=none]'),
        ("!fork 1", "busy", ""),
        ("!fork 1", "open", ""),
        ("!start work", "idle", '[label="/ …"]'),
        ("!whole work", "busy", '[label="internal, alarm: inward"]'),
        ("!whole plant", "back", '[label="begin, alarm: again"]'),
        ("back", "idle", '[label="by default / …"]'),
        ("idle", "busy", '[label="after wait"]'),
    } <= found
    assert not any(tail == "!start plant" for tail, _, _ in found)


SEVERAL = """\
hedgerow: 1
name: several
events: {go: {}}
machine:
  parallel: true
  states:
    one:
      initial: [x, z]
      states:
        both:
          parallel: true
          states: {r1: {initial: y, states: {x: {}, y: {}}}, r2: {initial: w, states: {w: {}, z: {}}}}
        deep: {history: deep, default: [y, z]}
        out: {always: {to: [deep]}}
    two: {on: {go: {name: stays}}}
"""


def test_initial_states_of_several_regions_and_a_machine_of_regions() -> None:
    drawn = picture(loads(SEVERAL))
    text = mermaid(drawn)
    assert 'state "machine" as machine {' in text
    assert "            [*] --> both : to x, z\n" in text
    assert "    [*] --> machine\n" in text
    assert '            state "H* deep" as deep\n' in text
    assert "    out --> deep : always\n" in text
    assert "    deep --> fork__2 : by default\n    fork__2 --> y\n    fork__2 --> z\n" in text
    # The regions are parted once: between the two of the machine, and between the two of `both`.
    assert [line.index("--") for line in text.splitlines()[3:] if line.strip() == "--"] == [16, 8]
    assert {("!start one", "x", ""), ("!start one", "z", "")} <= edges(dot(drawn))
    assert ("!start ", "x", '[lhead="cluster machine"]') in edges(dot(drawn))


INNER = """\
hedgerow: 1
name: inner
events: {stop: {}}
machine:
  initial: on
  fail_safe: hurt
  states: {on: {on: {stop: {to: off}}}, off: {}, hurt: {}}
"""
OUTER = """\
hedgerow: 1
name: outer
events: {stop: {}}
use: {left: {spec: inner.yaml}, right: {spec: inner.yaml}}
machine: {initial: on, states: {on: {always: {if: In(left.off), to: over}}, over: {final: true}}}
"""


def test_a_composition_is_drawn_as_regions_with_the_words_of_each_file(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(INNER, "utf-8")
    (tmp_path / "outer.yaml").write_text(OUTER, "utf-8")
    drawn = picture(hedgerow.load(tmp_path / "outer.yaml"))
    text = mermaid(drawn)
    for region in ("left", "right"):
        assert f'state "{region}: inner" as s__{region}' in text
        assert f'state "hurt" as s__{region}___hurt\n' in text
        assert f"    s__{region}___on --> s__{region}___off : stop\n" in text
        assert f"an error in {region} that nothing else handles leads here" in text
        assert (f"{region}.on", f"{region}.off", '[label="stop"]') in edges(dot(drawn))
    assert 'state "outer" as outer {' in text
    assert "    on --> over : always #91;In(left.off)#93;\n" in text
    assert [line.strip() for line in text.splitlines()].count("--") == 2


def test_mermaid_goes_to_stdout_or_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nested.yaml").write_text(NESTED, "utf-8")
    assert main(["diagram", str(tmp_path / "nested.yaml")]) == 0
    assert capsys.readouterr().out == EXPECTED
    assert main(["diagram", str(tmp_path / "nested.yaml"), "--out", str(tmp_path / "n.mmd")]) == 0
    assert (tmp_path / "n.mmd").read_text("utf-8") == EXPECTED


def test_a_spec_that_does_not_hold_is_drawn_only_when_its_finding_is_waived(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = str(SPECS / "band_limited_hedge.as_written.yaml")
    assert main(["diagram", path]) == 2
    assert capsys.readouterr().out == ""
    assert main(["diagram", path, "--permit", "HR302"]) == 0
    assert "stateDiagram-v2" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_svg_shows_every_state_and_label(tmp_path: Path) -> None:
    (tmp_path / "nested.yaml").write_text(NESTED, "utf-8")
    assert main(["diagram", str(tmp_path / "nested.yaml"), "--out", str(tmp_path / "n.svg")]) == 0
    shown = " ".join(ElementTree.parse(tmp_path / "n.svg").getroot().itertext())
    for text in (
        "outer",
        "state",
        "deep",
        "fin",
        "over",
        "note",
        "[n == 1]",
        "tick: count [tick.x > 3 and n < 5] / bump",
    ):
        assert text in shown


def fake_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no layout >&2; exit 3", "Graphviz failed: no layout"),
        ("exec sleep 5", "Graphviz did not finish in 0.2 seconds"),
    ],
)
def test_a_failing_graphviz_is_told_and_nothing_is_written(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_dot(tmp_path, monkeypatch, script)
    monkeypatch.setattr("hedgerow.cli.diagram.DRAWING_SECONDS", 0.2)
    assert main(["diagram", str(SPECS / "band_limited_hedge.yaml"), "--out", str(tmp_path / "b.svg")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "b.svg").exists()


def test_svg_without_graphviz_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["diagram", str(SPECS / "band_limited_hedge.yaml"), "--out", str(tmp_path / "b.svg")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Error: SVG needs Graphviz's `dot`, which is not installed")
    assert "--out NAME.mmd" in err


@pytest.mark.parametrize("out", ["b.png", "b"])
def test_another_kind_of_picture_is_bad_input(out: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagram", str(SPECS / "band_limited_hedge.yaml"), "--out", out]) == 2
    assert "is neither .mmd (Mermaid) nor .svg" in capsys.readouterr().err
