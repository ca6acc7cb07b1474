"""Projects as folders of Parquet files, which the service writes and reads: see weaklabel_protocol.project_folders.

Needs pyarrow: `pip install "weaklabel[parquet]"`.

Example::

    project = read_project("spam/")
    model = LabelModel.load(project.model_file())
    soft = model.predict_proba(project.votes())
"""

from weaklabel.formats.projects.reading import (
    ModelEntry,
    ProjectFolder,
    RecordSetEntry,
    SideDataEntry,
    SoftLabelTable,
    read_project,
)

__all__ = ["ModelEntry", "ProjectFolder", "RecordSetEntry", "SideDataEntry", "SoftLabelTable", "read_project"]
