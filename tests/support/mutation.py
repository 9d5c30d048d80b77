"""Builds of the operator with one change to the syntax tree of one module.

A change names a function, class or constant instead of a line of source text. So comments, line breaks and moved lines
do not affect it, and a rename in the product is one rename here.
"""

import ast
import importlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import execution_operator

PACKAGE = Path(execution_operator.__file__).parent


class Mutation(Protocol):
    """A change of one node."""

    def mutated(self, node: ast.AST) -> ast.AST | list[ast.stmt] | None:
        """Return what replaces the node, or None if this is not the node to change."""


@dataclass(frozen=True)
class WithoutElement:
    """Removes a name from the tuple that holds it."""

    element: str

    def mutated(self, node: ast.AST) -> ast.AST | None:
        """Return the tuple without the element."""
        if not isinstance(node, ast.Tuple):
            return None
        kept = [each for each in node.elts if not (isinstance(each, ast.Name) and each.id == self.element)]
        return ast.Tuple(kept, node.ctx) if len(kept) < len(node.elts) else None


@dataclass(frozen=True)
class Body:
    """Replaces the whole body of a function by other statements."""

    source: str

    def mutated(self, node: ast.AST) -> ast.AST | None:
        """Return the function with the other body."""
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        node.body = ast.parse(self.source).body
        return node


@dataclass(frozen=True)
class NeverIf:
    """Makes false the condition of the `if` statement that calls a function of this name."""

    called: str

    def mutated(self, node: ast.AST) -> ast.AST | None:
        """Return the `if` statement with the condition `False`."""
        if not isinstance(node, ast.If) or not _calls(node.test, self.called):
            return None
        node.test = ast.Constant(value=False)
        return node


@dataclass(frozen=True)
class Argument:
    """Replaces a keyword argument of the call to a function of this name."""

    called: str
    keyword: str
    value: str

    def mutated(self, node: ast.AST) -> ast.AST | None:
        """Return the call with the other argument."""
        if not isinstance(node, ast.Call) or _called(node) != self.called:
            return None
        for keyword in node.keywords:
            if keyword.arg == self.keyword:
                keyword.value = _expression(self.value)
                return node
        return None


@dataclass(frozen=True)
class Statement:
    """Replaces the simple statement that calls a function of this name by other statements."""

    called: str
    source: str = "pass"

    def mutated(self, node: ast.AST) -> list[ast.stmt] | None:
        """Return the other statements."""
        simple = isinstance(node, ast.Assign | ast.Expr | ast.Return)
        return ast.parse(self.source).body if simple and _calls(node, self.called) else None


@dataclass(frozen=True)
class Expression:
    """Replaces an expression by another."""

    sound: str
    broken: str

    def mutated(self, node: ast.AST) -> ast.AST | None:
        """Return the other expression."""
        return _expression(self.broken) if ast.dump(node) == ast.dump(_expression(self.sound)) else None


@dataclass(frozen=True)
class Build:
    """The operator with one change.

    Attributes:
        module: The changed module, below `execution_operator`, with dots.
        name: The function, class or constant to change, with the classes and functions around it; empty for the whole
            module.
        mutation: The change. It applies to exactly one node there.
    """

    module: str
    name: str
    mutation: Mutation

    @property
    def file(self) -> str:
        """The path of the module, relative to the package."""
        return f"{self.module.replace('.', '/')}.py"

    def source(self) -> str:
        """Return the source of the changed module.

        Raises:
            LookupError: The change applies to no node, or to more than one.
        """
        tree = ast.parse((PACKAGE / self.file).read_text())
        rewriter = _Rewriter(self.mutation)
        rewriter.visit(self._found(tree))
        if rewriter.count != 1:
            raise self._changed(f"{self.mutation} applies to {rewriter.count} nodes of {self.name or 'it'}, not to one")
        return ast.unparse(ast.fix_missing_locations(tree))

    def make(self, folder: Path) -> Path:
        """Write the whole build into a folder, to be first on the import path. Return the folder."""
        source = self.source()
        shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / PACKAGE.name / self.file).write_text(source)
        return folder

    def load(self, module: str) -> ModuleType:
        """Import a module once more, with the changed module in the place of the sound one."""
        changed, wanted = (f"{PACKAGE.name}.{each}" for each in (self.module, module))
        importlib.import_module(wanted)
        sound = {name: sys.modules[name] for name in (changed, wanted)}
        broken = ModuleType(changed)
        exec(compile(self.source(), f"<{changed}, broken>", "exec"), vars(broken))
        try:
            del sys.modules[wanted]
            sys.modules[changed] = broken
            return importlib.import_module(wanted)
        finally:
            sys.modules.update(sound)

    def _found(self, tree: ast.Module) -> ast.AST:
        """Return the node of the name."""
        node: ast.AST = tree
        for part in filter(None, self.name.split(".")):
            named = [each for each in getattr(node, "body", []) if _name(each) == part]
            if len(named) != 1:
                raise self._changed(f"{len(named)} definitions of {part} in {self.name}, not one")
            node = named[0]
        return node

    def _changed(self, difference: str) -> LookupError:
        return LookupError(f"module {self.module} has changed: {difference}. Describe this broken build anew.")


class _Rewriter(ast.NodeTransformer):
    """Applies a mutation in a node, and counts how often it applied."""

    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation
        self.count = 0

    def visit(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        """Return what replaces the node: itself, unless the mutation applies."""
        mutated = self._mutation.mutated(node)
        if mutated is None:
            self.generic_visit(node)
            return node
        self.count += 1
        return mutated


def _name(statement: ast.stmt) -> str:
    """Return the name that a statement defines; empty if it defines none."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""


def _called(call: ast.Call) -> str:
    """Return the last part of the name of the called function."""
    return ast.unparse(call.func).rpartition(".")[2]


def _calls(node: ast.AST, name: str) -> bool:
    """Return whether a function of this name is called in a node."""
    return any(isinstance(each, ast.Call) and _called(each) == name for each in ast.walk(node))


def _expression(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body
