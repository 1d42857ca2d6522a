"""The Python client of Maestro's users against a server: client.py URL.

The client ignores status codes and returns whatever JSON it is sent, so the shapes of answers are what is looked at. What
the client has no call for (activation, deletion) is sent in its manner: its headers, no body, Content-Length 0.
"""

import http.client
import json
import sys
import tempfile
import time
import unittest
import urllib.parse

from maestro import Foreach, Job, MaestroClient, Subworkflow, While, Workflow

URL = sys.argv.pop(1)
USER = "sdk-user"


def send(method, path):
    """A call that the client does not have, with its headers."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(URL).netloc)
    connection.request(method, path, headers={"user": USER, "Content-Type": "application/json", "Content-Length": "0"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, json.loads(body)


class Client(unittest.TestCase):
    def setUp(self):
        self.client = MaestroClient(URL, USER)

    def ended(self, workflow, instance):
        """Polls as the client's watch does, until the run is over."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            view = self.client.get_instance(workflow, instance)
            self.assertNotEqual(view.get("status"), "NOT_FOUND")
            status = view.get("aggregated_info", {}).get("workflow_instance_status", "UNKNOWN")
            if status in ("TIMED_OUT", "STOPPED", "FAILED", "SUCCEEDED"):
                return status, view
            time.sleep(0.05)
        self.fail(f"{workflow} {instance} does not end")

    def definition(self):
        return (
            Workflow("sdk.diamond")
            .name("Diamond")
            .description("pushed by the client")
            .owner("ana")
            .run_strategy("parallel")
            .concurrency(3)
            .timeout("1 hour")
            .criticality("high")
            .tags("etl", "nightly")
            .param("region", "eu")
            .param("rows", 7)
            .param("ratio", 2.5)
            .param("full", True)
            .param("days", [1, 2, 3])
            .param("labels", {"team": "growth"})
            .param_expr("twice<long>", "rows * 2")
            .job(Job(id="extract", type="NoOp").param("msg", "load ${region}").transition("IF twice > 10 THEN big", "OTHERWISE small"))
            .job(Job(id="big", type="NoOp").tag("heavy").timeout("5 minutes").failure_mode("ignore_failure").transition("done"))
            .job(Job(id="small", type="NoOp").transition("done"))
            .job(Job(id="done", type="NoOp").name("Done").description("the end").param_expr("sum<long>", "twice + 1"))
        )

    def test_push_start_read(self):
        text = self.definition().to_yaml()
        self.assertEqual(self.client.validate_yaml(text)["action"], "VALIDATE")
        created = self.client.push_yaml(text)["workflow_definition"]
        self.assertTrue(created["is_active"])
        self.assertEqual(created["metadata"]["version_author"], USER)
        self.assertEqual(created["properties_snapshot"]["owner"], "ana")
        self.assertEqual(created["properties_snapshot"]["run_strategy"], {"rule": "PARALLEL", "workflow_concurrency": 3})
        workflow = created["workflow"]
        self.assertEqual(
            workflow["params"],
            {
                "region": {"value": "eu", "type": "STRING"},
                "rows": {"value": 7, "type": "LONG"},
                "ratio": {"value": 2.5, "type": "DOUBLE"},
                "full": {"value": True, "type": "BOOLEAN"},
                "days": {"value": [1, 2, 3], "type": "LONG_ARRAY"},
                "labels": {"value": {"team": "growth"}, "type": "STRING_MAP"},
                "twice": {"expression": "rows * 2", "type": "LONG"},
            },
        )
        self.assertEqual((workflow["timeout"], workflow["criticality"]), ("1 hour", "HIGH"))
        self.assertEqual(workflow["tags"], [{"name": "etl"}, {"name": "nightly"}])
        successors = workflow["steps"][0]["step"]["transition"]["successors"]
        self.assertEqual(successors, {"big": "twice > 10", "small": "!((twice > 10))"})

        for version in ("default", "active", "latest", "1"):
            self.assertEqual(self.client.get_workflow("sdk.diamond", version)["workflow"], workflow)
        extras = self.client.get_workflow("sdk.diamond", enriched=True)["enriched_extras"]
        self.assertIn("RUN_TS", extras["workflow_params"])
        self.assertEqual(list(extras["step_params"]), ["extract", "big", "small", "done"])

        started = self.client.start("sdk.diamond", run_params={"region": {"value": "us", "type": "STRING"}})
        self.assertEqual((started["status"], started["workflow_instance_id"]), ("CREATED", 1))
        status, view = self.ended("sdk.diamond", 1)
        self.assertEqual(status, "SUCCEEDED")
        steps = {name: step["status"] for name, step in view["aggregated_info"]["step_aggregated_views"].items()}
        self.assertEqual(steps, {"extract": "SUCCEEDED", "big": "SUCCEEDED", "small": "UNSATISFIED", "done": "SUCCEEDED"})
        self.assertEqual(self.client.get_instance("sdk.diamond", 1, 1)["params"]["twice"]["evaluated_result"], 14)
        step = self.client.get_instance("sdk.diamond", 1, step_id="extract")
        self.assertEqual(step["params"]["msg"]["evaluated_result"], "load us")
        attempt = self.client.get_instance("sdk.diamond", 1, 1, "done", 1)
        self.assertEqual(attempt["params"]["sum"]["evaluated_result"], 15)

    def test_files(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            Workflow("sdk.file").owner("ana").job(Job(id="a", type="noop")).to_yaml(file.name)
            self.assertEqual(self.client.validate(file.name)["action"], "VALIDATE")
            self.assertEqual(self.client.push(file.name)["workflow_definition"]["workflow"]["id"], "sdk.file")

    def test_json_is_yaml(self):
        text = json.dumps({"workflow": {"id": "sdk.json", "owner": "ana", "jobs": [{"job": {"id": "a", "type": "NoOp"}}]}})
        self.assertEqual(self.client.validate_yaml(text)["action"], "VALIDATE")
        self.assertEqual(self.client.push_yaml(text)["workflow_definition"]["metadata"]["workflow_version_id"], 1)

    def test_loops_and_subworkflows(self):
        body = Workflow("sdk.nested").owner("ana").dag("sequential")
        body.job(
            Foreach(id="each")
            .concurrency(5)
            .loop_param("country", ["de", "fr"])
            .loop_param_expr("day<array<long>>", "Util.intsBetween(0, 3, 1);")
            .param("fmt", "parquet")
            .dag("sequential")
            .jobs(Job(id="load", type="NoOp"), Job(id="check", type="Sleep").param("sleep_seconds", 1))
        )
        body.job(While(id="poll").condition("i < 3").loop_param("i", 0).job(Job(id="look", type="NoOp").param_expr("i<long>", "i + 1")))
        body.job(Subworkflow(id="child").workflow_id("other").version("3").sync(False).explicit_params(True))
        steps = self.client.push_yaml(body.to_yaml())["workflow_definition"]["workflow"]["steps"]
        each, poll, child = steps[0]["foreach"], steps[1]["while"], steps[2]["subworkflow"]
        self.assertEqual(each["concurrency"], 5)
        self.assertEqual(each["transition"], {"successors": {"poll": "true"}})
        self.assertEqual(
            each["params"]["loop_params"]["value"],
            {
                "country": {"value": ["de", "fr"], "type": "STRING_ARRAY"},
                "day": {"expression": "Util.intsBetween(0, 3, 1);", "type": "LONG_ARRAY"},
            },
        )
        self.assertEqual(each["steps"][0]["step"]["transition"], {"successors": {"check": "true"}})
        self.assertEqual(poll["condition"], "i < 3")
        self.assertEqual(poll["params"]["loop_params"]["value"], {"i": {"value": 0, "type": "LONG"}})
        # The client writes workflow_version, which the server takes for a param of the step.
        self.assertEqual(
            child["params"],
            {"subworkflow_id": {"value": "other", "type": "STRING"}, "workflow_version": {"value": "3", "type": "STRING"}},
        )
        self.assertEqual((child["sync"], child["explicit_params"]), (False, True))

    def test_errors(self):
        for answer in (
            self.client.push_yaml("workflow: {id: sdk.bad, owner: ana, jobs: []}"),
            self.client.validate_yaml("workflow: {id: maestro_x, owner: ana, jobs: [{job: {id: a, type: noop}}]}"),
            self.client.push_yaml("workflow: {id: sdk.bad, owner: ana, jobs: [{job: {id: a, type: unheard}}]}"),
            self.client.push_yaml("something: else"),
        ):
            self.assertEqual(answer["status"], "BAD_REQUEST")
        for answer in (
            self.client.get_workflow("sdk.unknown"),
            self.client.get_instance("sdk.unknown", 1),
            self.client.start("sdk.unknown"),
        ):
            self.assertEqual(answer["status"], "NOT_FOUND")

    def test_stop(self):
        workflow = Workflow("sdk.slow").owner("ana").run_strategy("parallel").job(Job(id="nap", type="Sleep").param("sleep_seconds", 3600))
        self.client.push_yaml(workflow.to_yaml())
        for _ in range(3):
            self.client.start("sdk.slow", "latest", {"type": "manual"})
        self.assertEqual(self.client.stop("sdk.slow", 1)["workflow_instance_id"], 1)
        self.assertEqual(self.ended("sdk.slow", 1)[0], "STOPPED")
        self.assertEqual(self.client.stop("sdk.slow", 2, "nap")["step_runtime_state"]["status"], "STOPPED")
        self.assertEqual(self.ended("sdk.slow", 2)[0], "STOPPED")
        self.assertEqual(self.client.stop("sdk.slow")["action"], "STOP")
        self.assertEqual(self.ended("sdk.slow", 3)[0], "STOPPED")

    def test_activation_and_deletion(self):
        base = "/api/v3/workflows/sdk.life"
        self.client.push_yaml(Workflow("sdk.life").owner("ana").job(Job(id="a", type="NoOp")).to_yaml())
        status, answer = send("PUT", base + "/actions/deactivate")
        self.assertEqual((status, answer["timeline_event"]["action"]), (200, "DEACTIVATE"))
        self.assertEqual(self.client.get_workflow("sdk.life", "active")["status"], "NOT_FOUND")
        status, answer = send("PUT", base + "/versions/1/actions/activate")
        self.assertEqual((status, answer["workflow_version_id"]), (200, 1))
        self.assertTrue(self.client.get_workflow("sdk.life", "active")["is_active"])
        status, answer = send("DELETE", base)
        self.assertEqual((status, answer["type"]), (200, "LOG"))
        self.assertEqual(self.client.get_workflow("sdk.life")["status"], "NOT_FOUND")


if __name__ == "__main__":
    unittest.main(verbosity=2)
