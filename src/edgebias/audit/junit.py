"""The result as JUnit XML, which build servers show: a suite for each build, a test case for each score."""

from __future__ import annotations

import math
from xml.etree import ElementTree as XML

from edgebias.audit.result import Result
from edgebias.audit.verdict import clause, fault_of_text, place, words


def as_junit(result: Result) -> str:
    """Return the XML: what is worse is a failure, what is undefined is skipped."""
    root = XML.Element("testsuites", name="edgebias audit")
    for build in result.builds:
        suite = XML.SubElement(root, "testsuite", name=f"{build.name} against {result.reference.name}")
        for one in result.compared.contrasts:
            if one.build != build.name:
                continue
            case = XML.SubElement(suite, "testcase", classname=place(one), name=words(one))
            if one.worse:
                XML.SubElement(case, "failure", message=clause(one))
            elif not math.isfinite(one.p):
                XML.SubElement(case, "skipped", message=one.reason)
        for text in result.divergences:
            if text.build == build.name:
                case = XML.SubElement(suite, "testcase", classname="fixed text", name="perplexity")
                if text.broken:
                    XML.SubElement(case, "failure", message=fault_of_text(text))
        for count, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("skipped", "testcase/skipped")):
            suite.set(count, str(len(suite.findall(tag))))
    XML.indent(root)
    return XML.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
