"""Writes many changes into one copy of a source file, each behind a switch that is read once from the environment.

Problem: a build for each change takes most of the time of a run, since a test takes seconds and a build a minute.
Decision: `a < b` becomes `(if on(7) { a <= b } else { a < b })`, so that one build has all changes of a package, and
the variable MUTANT says which of them a run of the tests has. The text of a variant has no switches inside, so that
changes within each other do not multiply.
Cost: what stands where no call may (a constant, a macro) and what only compiles without the other branch (a function
that returns `impl Trait`) cannot be switched; it is written plainly and built alone.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

import tree_sitter_rust
from tree_sitter import Language, Node, Parser

from changes import Change

_parser = Parser(Language(tree_sitter_rust.language()))

# What a call cannot stand in, and what has no expressions that the grammar knows.
_NO_CALLS = {"const_item", "static_item", "const_block", "enum_variant", "array_type", "token_tree", "type_arguments"}

# Warnings and lints that are errors by default are no business of a change.
ALLOWED = (
    b"#![allow(warnings, arithmetic_overflow, overflowing_literals, unconditional_panic, unconditional_recursion,"
    b" unused_must_use, invalid_reference_casting)]\n"
)

MODULE = b"""
#[doc(hidden)]
mod mutant_switch {
    static WHICH: ::std::sync::OnceLock<u32> = ::std::sync::OnceLock::new();

    pub(crate) fn on(number: u32) -> bool {
        let read = || ::std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        *WHICH.get_or_init(read) == number
    }
}
"""


def offset(text: bytes, place: tuple[int, int]) -> int:
    """The byte at a line and a column; columns count characters."""
    line, column = place
    at = 0
    for _ in range(line - 1):
        at = text.index(b"\n", at) + 1
    end = text.find(b"\n", at)
    row = text[at : len(text) if end < 0 else end].decode()
    return at + len(row[: column - 1].encode())


def plain(text: bytes, change: Change) -> bytes:
    """The text with the change alone."""
    return text[: offset(text, change.start)] + change.replacement.encode() + text[offset(text, change.end) :]


@dataclass
class _Range:
    """What is switched around one range of bytes of a file."""

    # Texts in the place of an expression.
    variants: list[tuple[int, bytes]] = field(default_factory=list)
    # What a guard is with a switch on.
    guards: list[tuple[int, bool]] = field(default_factory=list)
    # Text that is inserted; such a range is empty.
    inserted: list[tuple[int, bytes]] = field(default_factory=list)
    # The type that is expected of the variants depends on the others.
    opaque: bool = False


@dataclass(frozen=True)
class Region:
    """Bytes of what was written that belong to changes."""

    start: int
    end: int
    numbers: frozenset[int]
    # It is the text of one change and nothing else, and its type is what it would be without a switch.
    typed: bool = False


class Switched:
    """One file with switches. A change that could not be switched is in `unplaced`."""

    def __init__(self, text: bytes, changes: dict[int, Change]):
        self._source = text
        self._ranges: dict[tuple[int, int], _Range] = defaultdict(_Range)
        self._root = _parser.parse(text).root_node
        self.unplaced = {number for number, change in changes.items() if not self._place(number, change)}
        self._out = bytearray()
        self.regions: list[Region] = []
        self._write(0, len(text), sorted(self._ranges, key=lambda range_: (range_[0], -range_[1])))
        self.text = bytes(self._out)

    def region_at(self, start: int, end: int, code: str) -> Region | None:
        """Whose fault an error is that a compiler reports at these bytes: the innermost region, or the nearest before.

        A `match` that lacks an arm is reported at its head (E0004), and the arm is behind it.
        """
        around = [region for region in self.regions if region.start <= start and end <= region.end]
        if around and code != "E0004":
            return min(around, key=lambda region: region.end - region.start)
        before = [region for region in self.regions if region.start <= start]
        behind = [region for region in self.regions if region.start > start]
        nearest = max(before, key=lambda region: region.start, default=None)
        if behind and (nearest is None or code == "E0004"):
            nearest = min(behind, key=lambda region: region.start)
        return nearest and replace(nearest, typed=False)

    def _place(self, number: int, change: Change) -> bool:
        start, end = offset(self._source, change.start), offset(self._source, change.end)
        node = self._root.descendant_for_byte_range(start, end)
        if node is None or _within(node, _NO_CALLS):
            return False
        match change.genre:
            case "FnValue":
                return self._place_value(number, node, change.replacement)
            case "MatchArmGuard":
                self._ranges[start, end].guards.append((number, change.replacement == "true"))
                return True
            case "MatchArm":
                return self._place_arm(number, node, start, end)
            case "BinaryOperator":
                whole = _ancestor(node, {"binary_expression", "compound_assignment_expr"})
                # With a chain of `let`, an operand may be no expression of its own.
                if whole is None or whole.child_by_field_name("operator") != node:
                    return False
                whole = _outermost(whole)
                if whole.parent is not None and whole.parent.type == "let_chain":
                    return False
            case "UnaryOperator":
                whole = _ancestor(node, {"unary_expression"})
            case "StructField":
                whole = _ancestor(node, {"struct_expression"})
            case _:
                return False
        if whole is None:
            return False
        before, behind = self._source[whole.start_byte : start], self._source[end : whole.end_byte]
        variant = before + change.replacement.encode() + behind
        self._ranges[whole.start_byte, whole.end_byte].variants.append((number, variant))
        return True

    def _place_value(self, number: int, node: Node, replacement: str) -> bool:
        function = _ancestor(node, {"function_item"})
        body = function and function.child_by_field_name("body")
        if body is None:
            return False
        at = body.start_byte + 1
        self._ranges[at, at].inserted.append((number, f" if {_on(number)} {{ return {replacement}; }}".encode()))
        returned = function.child_by_field_name("return_type")
        self._ranges[at, at].opaque = returned is not None and b"impl " in returned.text
        return True

    def _place_arm(self, number: int, node: Node, start: int, end: int) -> bool:
        arm = _ancestor(node, {"match_arm"})
        pattern = arm and arm.child_by_field_name("pattern")
        if pattern is None or arm.start_byte > start or arm.end_byte < end - 1:
            return False
        guard = pattern.child_by_field_name("condition")
        if guard is not None:
            self._ranges[guard.start_byte, guard.end_byte].guards.append((number, False))
        else:
            at = pattern.end_byte
            self._ranges[at, at].inserted.append((number, f" if !{_on(number)}".encode()))
        return True

    def _write(self, start: int, end: int, ranges: list[tuple[int, int]]) -> None:
        """Writes the bytes from `start` to `end`, in which `ranges` are switched: in order, and outer ones first."""
        at = start
        while ranges:
            outer = ranges[0]
            inner = [range_ for range_ in ranges[1:] if range_[1] <= outer[1]]
            ranges = ranges[1 + len(inner) :]
            self._out += self._source[at : outer[0]]
            self._write_range(outer, inner)
            at = outer[1]
        self._out += self._source[at:end]

    def _write_range(self, range_: tuple[int, int], inner: list[tuple[int, int]]) -> None:
        switched = self._ranges[range_]
        begin = len(self._out)
        for number, text in switched.inserted:
            self._write_region(number, text, not switched.opaque)
        for number, value in switched.guards:
            self._out += f"({_on(number)} || (".encode() if value else f"(!{_on(number)} && (".encode()
        for at, (number, variant) in enumerate(switched.variants):
            self._out += f"{' else ' if at else '('}if {_on(number)} {{ ".encode()
            self._write_region(number, variant, True)
            self._out += b" }"
        if switched.variants:
            self._out += b" else { "
        self._write(*range_, inner)
        self._out += b" })" if switched.variants else b""
        self._out += b"))" * len(switched.guards)
        numbers = [number for number, _ in switched.inserted + switched.guards + switched.variants]
        self.regions.append(Region(begin, len(self._out), frozenset(numbers)))

    def _write_region(self, number: int, text: bytes, typed: bool) -> None:
        begin = len(self._out)
        self._out += text
        self.regions.append(Region(begin, len(self._out), frozenset([number]), typed))


def _on(number: int) -> str:
    return f"crate::mutant_switch::on({number})"


def _ancestor(node: Node | None, types: set[str]) -> Node | None:
    while node is not None and node.type not in types:
        node = node.parent
    return node


def _outermost(binary: Node) -> Node:
    """The expression of operators that one is part of: another operator may bind its neighbours otherwise."""
    while binary.parent is not None and binary.parent.type == "binary_expression":
        binary = binary.parent
    return binary


def _within(node: Node, types: set[str]) -> bool:
    return _ancestor(node, types) is not None
