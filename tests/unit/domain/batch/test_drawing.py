"""The graph of a batch as Mermaid, as Graphviz and as data."""

from app.domain.batch import drawing
from app.domain.batch.definition import parse
from app.domain.batch.drawing import Node
from app.domain.batch.operation import Dependency
from tests.unit.domain.batch.cases import EXAMPLE

CLEANS = Node(
    id="clean-up",
    type="server_batch",
    provider="local",
    status="Skipped",
    dependencies=(Dependency(id="web", condition="failure"), Dependency(id="absent", type="optional")),
)
WEB = Node(id="web", type="server_batch", provider="local", status="Completed")


def test_a_definition_is_data_with_levels() -> None:
    found = drawing.data(drawing.of_definition(parse(EXAMPLE).operations))

    assert found["levels"] == [["upcloud_servers"], ["aws_taskservs"]]
    assert [node["level"] for node in found["nodes"]] == [0, 1]
    assert found["edges"][0]["to"] == "aws_taskservs"


def test_states_are_classes_and_special_conditions_are_labels() -> None:
    assert drawing.mermaid([WEB, CLEANS]).splitlines() == [
        "flowchart TD",
        '  n0["web<br/>server_batch local Completed"]:::Completed',
        '  n1["clean-up<br/>server_batch local Skipped"]:::Skipped',
        "  n0 -->|failure| n1",
        "  classDef Completed fill:#dcfce7,stroke:#15803d",
        "  classDef Skipped fill:#f3f4f6,stroke:#9ca3af",
    ]


def test_graphviz_gets_the_same_edges() -> None:
    drawn = drawing.dot([WEB, CLEANS])

    assert '"web" -> "clean-up" [style=solid, label="failure"];' in drawn
    assert drawn.startswith("digraph batch {") and drawn.endswith("}\n")


def test_what_is_absent_is_data_only() -> None:
    absent = [edge for edge in drawing.data([WEB, CLEANS])["edges"] if edge["absent"]]

    assert [edge["from"] for edge in absent] == ["absent"]
    assert "absent" not in drawing.mermaid([WEB, CLEANS])
