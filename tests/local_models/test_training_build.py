"""The recipe's examples: laid out as served, right by construction, skipping what is absent, disjoint from the exam."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from local_models.exam_items import TASKS, golden_items
from local_models.layout import DEFAULT_LABELS, SPAN_TYPES, TAIL, Label, Turn, head
from local_models.training.build import OVERLAP, build, main, overlaps, own_examples, word_runs
from local_models.training.described import described_lists
from local_models.training.examples import (
    Example,
    classify_example,
    extract_example,
    redact_example,
    rewrite_example,
)
from local_models.training.intents import label_lists
from local_models.training.label_sets import label_sets, read_sets
from local_models.training.public import READERS, read_public
from local_models.training.tokens import pack
from local_models.training.values import Values

SEED = 5


def made(scale: float = 0.02) -> list[Example]:
    return list(own_examples(SEED, scale))


def test_every_task_is_taught_and_the_same_seed_gives_the_same_set() -> None:
    rows = build(made(), SEED)
    assert {row.task for row in rows} == set(TASKS)
    assert rows == build(made(), SEED)
    assert rows != build(list(own_examples(SEED + 1, 0.02)), SEED)


def test_the_generators_do_not_write_golden_items() -> None:
    """No run of eight words of a generated text occurs in the golden set, whatever `build` would drop."""
    exam: set[tuple[str, ...]] = set()
    for item in golden_items():
        turns = " ".join(turn["content"] for turn in item.body.get("conversation", []))
        exam |= {run for run in word_runs(f"{item.text} {turns}") if len(run) >= OVERLAP}
    shared = [row for row in own_examples(99, 0.2) if not exam.isdisjoint(word_runs(row.text))]
    assert shared == []


def test_the_generators_share_few_short_runs_with_the_golden_set() -> None:
    def runs(texts: list[str]) -> set[tuple[str, ...]]:
        return {run for text in texts for run in word_runs(text, 4) if len(run) == 4}

    golden = runs([item.text for item in golden_items()])
    trained = runs([row.text for row in own_examples(99, 0.1)])
    assert len(golden & trained) / len(golden) < 0.005


def test_build_drops_what_comes_close_to_the_exam() -> None:
    item = next(item for item in golden_items() if item.task == "summarize")
    copied = Example("summarize", "leak", f"Text: {item.text}", "x")
    exam = word_runs(item.text)
    assert overlaps(copied, exam)
    assert build([copied], SEED) == []


def test_prompts_are_the_served_ones() -> None:
    one = classify_example("x", DEFAULT_LABELS, "Hello", "greeting")
    assert one.prompt.startswith(head("classify"))
    assert one.prompt.endswith("\n\nText: Hello" + TAIL)
    assert one.completion == "greeting<|im_end|>"
    assert one.text == "Hello"
    asked = extract_example("x", {"total": "number", "due": "date"}, {"total": 2.5}, "Total 2.50")
    assert asked.answer == '{"total": 2.5, "due": null}'
    assert asked.user == 'Schema: {"total": "number", "due": "date"}\n\nText: Total 2.50'
    follow = rewrite_example("x", [Turn("user", "Is A open?"), Turn("assistant", "Yes.")], "And B?", "Is B open?")
    assert follow.user == "Conversation:\nUser: Is A open?\nAssistant: Yes.\n\nQuery: And B?"
    hidden = redact_example("x", [("NAME", "Ann"), ("ADDRESS", "1 Road\nTown"), ("NAME", "Ann")], "t")
    assert hidden.answer == "NAME\tAnn\nADDRESS\t1 Road\nADDRESS\tTown"
    assert redact_example("x", [], "t").answer == "NONE"
    with pytest.raises(ValueError, match="not among the labels"):
        classify_example("x", [Label("a")], "t", "b")


def test_answers_are_right_by_construction() -> None:
    for row in made(0.05):
        if row.task == "redact" and row.answer != "NONE":
            for line in row.answer.split("\n"):
                kind, _, span = line.partition("\t")
                assert kind in SPAN_TYPES
                assert span in row.text
        elif row.task == "extract":
            schema = json.loads(row.user.partition("Schema: ")[2].partition("\n")[0])
            answer = json.loads(row.answer)
            assert list(answer) == list(schema)
            for name, value in answer.items():
                if schema[name] == "string" and value is not None:
                    assert value in row.text
                if schema[name] == "date" and value is not None:
                    assert re.fullmatch(r"\d{4}-\d\d-\d\d", value)
        elif row.task == "classify":
            assert re.search(rf"^- {re.escape(row.answer)}(:|$)", row.user, re.MULTILINE)
        elif row.task == "summarize":
            assert all(number in row.text for number in re.findall(r"\d+", row.answer))


def test_invented_numbers_have_right_checksums() -> None:
    values = Values(3)
    for _ in range(200):
        digits = [int(digit) for digit in values.card().replace(" ", "")]
        doubled = sum(sum(divmod(digit * 2, 10)) for digit in digits[-2::-2]) + sum(digits[-1::-2])
        assert doubled % 10 == 0
        iban = values.iban().replace(" ", "")
        assert int(iban[4:] + "1314" + iban[2:4]) % 97 == 1


def test_label_lists_vary_in_length_order_and_naming() -> None:
    pool = {f"topic_{letter}": [f"text about {letter}"] for letter in "abcdefgh"}
    rows = list(label_lists(Values(1), "x", pool, 200))
    lists = [row.user.partition("\n\nText:")[0].splitlines()[1:] for row in rows]
    assert len({len(one) for one in lists}) > 5
    assert len({row.answer for row in rows}) > 16
    assert any("other" in one[-1].lower() or "none" in one[-1].lower() for one in lists)


def test_absent_sets_are_skipped_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dict(read_public(tmp_path, 1)) == dict.fromkeys(READERS)
    out = tmp_path / "train.jsonl"
    assert main(["--out", str(out), "--sets", str(tmp_path), "--scale", "0.002"]) == 0
    told = capsys.readouterr()
    assert all(f"skipped {name}" in told.err for name in READERS)
    assert len(out.read_text().splitlines()) > 50


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


LONG = "The harbour master closed the basin on Monday because of the storm and asked all crews to stay ashore. " * 3
SHORT = "The harbour master closed the basin on Monday because of the storm."


def fill(folder: Path) -> None:
    """Every public set in miniature, in its own format."""
    write(
        folder / "oos-eval/data/data_full.json",
        json.dumps({"train": [["what is my balance", "balance"], ["book a cab", "cab"]], "val": []}),
    )
    header = "scenario;intent;answer_annotation\n"
    write(
        folder / "NLU-Evaluation-Data/x/trainset/a.csv",
        header + "alarm;set;wake me at [time : nine am]\nmusic;play;play [artist : The Hollows]\n",
    )
    turns = "".join(f"a\tb\tc\tplease move seat {n}\tO O O O\tseat\n" for n in range(20))
    turns += "".join(f"a\tb\tc\tprint my pass {n}\tO O O O\tpass\n" for n in range(20))
    place = "multi-domain-goal-oriented-dialogues-dataset/data/paper_splits/splits_annotated_at_turn_level/airline"
    write(folder / place / "train.tsv", "head\n" + turns)
    write(
        folder / "scitldr/SciTLDR-Data/SciTLDR-A/train.jsonl", json.dumps({"source": [LONG], "target": [SHORT]}) + "\n"
    )
    write(folder / "MTS-Dialog/Main-Dataset/MTS-Dialog-TrainingSet.csv", f'dialogue,section_text\n"{LONG}","{SHORT}"\n')
    meeting = {
        "meeting_transcripts": [{"speaker": "A", "content": LONG}],
        "specific_query_list": [{"relevant_text_span": [["0", "0"]], "answer": SHORT}],
    }
    write(folder / "QMSum/data/ALL/train/m.json", json.dumps(meeting))
    topic = [
        {"turn": [{"raw_utterance": "and its cost?", "manual_rewritten_utterance": "What is the cost of the ferry?"}]}
    ]
    write(folder / "treccastweb/2020/2020_manual_evaluation_topics_v1.0.json", json.dumps(topic))
    home = folder / "mt-rag-benchmark/mtrag-human/retrieval_tasks/cloud"
    write(home / "cloud_questions.jsonl", json.dumps({"_id": "1", "text": "|user|: what is a pod\n|user|: and a node"}))
    write(home / "cloud_rewrite.jsonl", json.dumps({"_id": "1", "text": "|user|: what is a node"}))
    row = {"text": "Call Ann Lee now", "spans": [{"start": 5, "end": 12, "label": "PERSON"}], "complete": True}
    write(folder / "spans/mine.jsonl", json.dumps(row) + "\n")


def test_each_public_set_is_read_in_its_own_format(tmp_path: Path) -> None:
    fill(tmp_path)
    found = dict(read_public(tmp_path, 1))
    assert all(found.values()), {name: rows and len(rows) for name, rows in found.items()}
    tasks = {row.task for rows in found.values() if rows for row in rows}
    assert tasks == set(TASKS)
    spans = found["spans"]
    assert spans is not None
    assert spans[0].answer == "NAME\tAnn Lee"
    rewritten = found["mt-rag-benchmark"]
    assert rewritten is not None
    assert (rewritten[0].user.splitlines()[-1], rewritten[0].answer) == ("Query: and a node", "what is a node")


def test_a_summary_that_invents_is_left_out(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "scitldr/SciTLDR-Data/SciTLDR-A/train.jsonl"
    write(path, json.dumps({"source": [LONG], "target": [SHORT.replace("Monday", "day 42 of the long storm")]}))
    assert dict(read_public(tmp_path, 1))["scitldr"] == []


def test_tokens_mark_where_the_answer_begins() -> None:
    def letters(text: str, _markup: bool) -> list[int]:
        return [ord(letter) for letter in text]

    rows = [row for row in made(0.002) if len(row.prompt) + len(row.completion) < 800]
    packed = pack(rows, letters)
    starts = np.concatenate([[0], np.cumsum(packed["shape"][:, :2].sum(1))])
    assert len(packed["shape"]) == len(rows)
    for row, (prompt, answer, task), start in zip(rows, packed["shape"], starts[:-1], strict=True):
        ids = packed["ids"][start : start + prompt + answer]
        assert "".join(map(chr, ids[:prompt])) == row.prompt
        assert "".join(map(chr, ids[prompt:])) == row.completion
        assert TASKS.index(row.task) in range(5)
        assert 0 <= task < 5


def test_public_intents_are_described_in_words_of_our_own() -> None:
    pool = {"book_flight": ["get me on a plane"], "book_hotel": ["a room for two"], "unheard_of": ["x"]}
    rows = list(described_lists(Values(2), "x", pool, 200))
    assert len(rows) > 150
    assert not any("unheard" in row.user for row in rows)
    assert any("wants to fly somewhere" in row.user and row.answer.lower().startswith("air") for row in rows)
    assert any(row.answer in "ABCDEFGHIJ" for row in rows)
    assert list(described_lists(Values(2), "x", {"unheard_of": ["x"]}, 5)) == []


def test_label_sets_are_read_from_their_file() -> None:
    one, two = read_sets("# desk\n- late | comes late\nwhere is it\n- lost\ngone\n\n# tone\n- calm\nfine\\nnow\n")
    assert (one.name, one.texts["late"], one.about) == ("desk", ["where is it"], {"late": "comes late"})
    assert two.texts == {"calm": ["fine\nnow"]}
    with pytest.raises(ValueError, match="line 2"):
        read_sets("# desk\na text\n")
    assert all(len(one.texts) > 1 and all(one.texts.values()) for one in label_sets())
