"""A card as Croissant 1.0: JSON-LD in the terms of schema.org and ML Commons."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from weaklabel.report.release import Release

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""As the specification gives it, with the terms for responsible use."""
FORMATS = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonlines",
    ".json": "application/json",
    ".parquet": "application/x-parquet",
}


def as_croissant(release: Release) -> str:
    """The card as text."""
    told: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": release.name,
        "version": release.version,
        "description": release.description,
        "citeAs": release.cited_as,
        "additionalProperty": _properties(release),
        "rai:dataAnnotationProtocol": "Votes of several sources on each item, combined by a label model (weaklabel).",
        "rai:dataAnnotationAnalysis": [
            _line(source.name, source.accuracy, source.remarks) for source in release.sources
        ],
        "rai:dataLimitations": list(release.weaknesses),
    }
    if release.license is not None:
        told["license"] = release.license
    if release.url is not None:
        told["url"] = release.url
    if release.date is not None:
        told["datePublished"] = release.date
    if release.creators:
        told["creator"] = [{"@type": "sc:Person", "name": name} for name in release.creators]
    if release.files:
        told["distribution"] = [_file(name, digest) for name, digest in release.files]
        told["recordSet"] = [_records(release)]
    return json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _line(name: str, accuracy: float | None, remarks: str) -> str:
    told = f"{name}: estimated accuracy {'unknown' if accuracy is None else f'{accuracy:.4f}'}"
    return f"{told}; {remarks}" if remarks else told


def _file(name: str, digest: str) -> dict[str, Any]:
    return {
        "@id": name,
        "@type": "cr:FileObject",
        "name": name,
        "contentUrl": name,
        "encodingFormat": FORMATS.get(PurePosixPath(name).suffix, "application/octet-stream"),
        "sha256": digest,
    }


def _records(release: Release) -> dict[str, Any]:
    """The columns that `weaklabel predict` writes."""
    first = release.files[0][0]
    columns = [("label", "sc:Text", "The likeliest class; blank where classes are tied.")]
    columns += [(f"p_{name}", "sc:Float", f"Probability of the class {name}.") for name in release.balance]
    fields = [
        {
            "@id": f"labels/{column}",
            "@type": "cr:Field",
            "name": f"labels/{column}",
            "dataType": kind,
            "description": words,
            "source": {"fileObject": {"@id": first}, "extract": {"column": column}},
        }
        for column, kind, words in columns
    ]
    return {"@id": "labels", "@type": "cr:RecordSet", "name": "labels", "field": fields}


def _properties(release: Release) -> list[dict[str, Any]]:
    values: dict[str, Any] = {
        "items": release.n_items,
        "votes": release.n_votes,
        "sources": release.n_sources,
        "items with votes": release.coverage,
        "items with conflicting votes": release.conflict,
        "mean probability of the likeliest class": release.mean_confidence,
        "risk of being worse than majority vote": release.risk,
        "doubt that sources are independent": release.doubt,
        "sha256 of the votes": release.votes_sha256,
        "sha256 of the model": release.model_sha256,
        **{f"class balance: {name}": share for name, share in release.balance.items()},
        **{f"model: {name}": value for name, value in release.model.items()},
        **{f"on gold: {name}": value for name, value in (release.scores or {}).items()},
        **{f"source version: {one.name}": one.version for one in release.sources if one.version is not None},
        **{f"source licence: {one.name}": one.license for one in release.sources if one.license is not None},
    }
    if release.n_sampled is not None:
        values["items that shares are of"] = release.n_sampled
    return [
        {"@type": "sc:PropertyValue", "name": name, "value": value}
        for name, value in sorted(values.items())
        if value is not None
    ]
