"""Planted bugs of batches; each is shown by a row, and named by what the checks of batches call it."""

from tests.chaos.bugs.plant import Bug

BATCHES: tuple[Bug, ...] = (
    Bug(
        name="one operation too many",
        file="app/engine/transitions/graph.py",
        old="    room = AT_ONCE if limit is None else int(limit) - graphs.at_work(j.tx, j.id)",
        new="    room = AT_ONCE if limit is None else int(limit) + 1 - graphs.at_work(j.tx, j.id)",
        breaks="a batch begins more operations than its parallel_limit allows",
        scenario="BF7",
        caught_by="I22",
    ),
    Bug(
        name="a rollback in the order of the batch",
        file="app/engine/batches/scope.py",
        old='                made.append({"needs": key, "key": other,'
        ' "kind": "soft", "condition": "finished"})',
        new='                made.append({"needs": other, "key": key,'
        ' "kind": "soft", "condition": "finished"})',
        breaks="what was needed is undone while what needed it still stands",
        scenario="BF1",
        caught_by="undo order",
    ),
    Bug(
        name="a removal that removes nothing",
        file="tasks/instance.py",
        old="    gone = [compute.remove(one) for one in dict.fromkeys([*ids, *found])]",
        new="    gone = [True for one in dict.fromkeys([*ids, *found])]",
        breaks="servers of a batch that is rolled back stay, and nothing records them",
        scenario="BF1",
        caught_by="stray",
    ),
)
