"""Causes in what reads and writes text: parsers of the answers, tasks of the model, and logits processors."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="parser-unknown",
        title="this vLLM has no parser of that name: {name}",
        why="Parsers for tool calls and for reasoning come and go with versions; the name is not among this one's.",
        advice=(
            "Correct server.flags.tool-call-parser or server.flags.reasoning-parser; the line lists what there is.",
            "server.flags.enable-auto-tool-choice needs server.flags.tool-call-parser beside it.",
        ),
        log=texts(
            r"invalid (?:tool call|reasoning) parser: ['\"]?(?P<name>[\w.-]+)",
            r"(?:[Rr]easoning|[Tt]ool) parser '(?P<name>[\w.-]+)' (?:is )?not found",
            r"--enable-auto-tool-choice requires --tool-call-parser",
            r"(?:reasoning|tool) helper: '(?P<name>[\w.-]+)' not found in",
            r"Parser '(?P<name>[\w.-]+)' not found\. Available",
            r"reasoning_parser_name=(?P<name>\S+) has not been registered|in \S+ is not a \w*Parser subclass",
        ),
    ),
    Rule(
        id="parser-unfit",
        title="a parser does not fit this model",
        why=(
            "A parser for reasoning or tool calls looks for marks such as <think> that only certain models have, and "
            "the tokenizer of this one has none."
        ),
        advice=(
            "Remove server.flags.reasoning-parser and server.flags.tool-call-parser, or name those of this model.",
            "If the model is the right one, check that tokenizer and tokenizer-mode in server.flags are its own.",
        ),
        log=texts(
            r"could not locate .{3,60} in the tokenizer|Error: Tokenizer must contain \S+ token",
            r"tokenizer must be passed to the \w+Parser|tokenizer must be an instance of \w+Tokenizer",
            r"\S+ cannot be used with the tokenizer of|requires `response_template` metadata|Harmony requires Gpt",
        ),
        raised_in=("/vllm/reasoning/", "/tool_parsers/", "/vllm/parser/"),
    ),
    Rule(
        id="task-refused",
        title="the model does not do what it is asked for",
        why="Some models write text, others only turn it into vectors or scores; this one does not do the kind named.",
        advice=(
            "Remove server.flags.runner, server.flags.convert, server.flags.task: vLLM then reads it from the model.",
            "A model for embeddings or scores writes no text; measure one that does.",
        ),
        log=texts(
            r"Error: Unsupported task: |does not support any pooling tasks|pooler=\S+ does not support task=",
            r"The model should be a generative or pooling model when|Unknown (?:sequence|tokenwise) pooling type",
            r"does not support `--(?:task|runner|convert)|Model Runner V2 supports pooling tasks",
            r"act_fn \[act_fn=.* not supported|Could not find `classifier` or `score` layer",
            r"pooler_config must be set for",
        ),
    ),
    Rule(
        id="logits-processor-refused",
        title="a logits processor cannot be loaded, or not together with another flag",
        why="server.flags.logits-processors names classes of Python, which must be in the image and of vLLM's form.",
        advice=(
            "Remove server.flags.logits-processors, or build an image that has the package.",
            "Do without what excludes them, such as speculative-config, in server.flags.",
        ),
        log=texts(
            r"Failed to load LogitsProcessor|Failed to load \d+th LogitsProcessor",
            r"must be a subclass of LogitsProcessor",
            r"[Cc]ustom logits ?processors are not supported",
        ),
        raised_in=("/logits_processor/",),
        strength=Strength.SYMPTOM,
    ),
)
