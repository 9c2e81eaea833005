"""curl, as the documentation shows it, against a real gateway."""

import json
import subprocess
import unittest

from served import Gateway


class Curl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway("--open")

    @classmethod
    def tearDownClass(cls):
        assert cls.gateway.stop() == 0

    def curl(self, path, body=None, *options):
        command = ["curl", "--silent", "--show-error", "--max-time", "60", *options, self.gateway.base_url + path]
        if body is not None:
            command += ["--json", json.dumps(body)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def test_a_chat_whole_and_streamed(self):
        # GIVEN curl
        # WHEN a chat is asked for whole and as a stream
        # THEN the stream's text is the whole's, and it ends with the mark
        body = {
            "model": "tales",
            "messages": [{"role": "user", "content": "Hi"}],
            "max_tokens": 16,
            "temperature": 0,
        }
        whole = json.loads(self.curl("/chat/completions", body))
        lines = self.curl("/chat/completions", {**body, "stream": True}, "--no-buffer").split("\n\n")
        events = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        self.assertEqual(events.pop(), "[DONE]")
        text = "".join(json.loads(event)["choices"][0]["delta"].get("content", "") for event in events)
        self.assertEqual(text, whole["choices"][0]["message"]["content"])

    def test_models_and_errors(self):
        # GIVEN curl without a key at a gateway that asks for none
        # WHEN models are listed and a wrong one is asked for
        # THEN both are answered in JSON
        self.assertEqual(len(json.loads(self.curl("/models"))["data"]), 2)
        error = json.loads(self.curl("/completions", {"model": "x", "prompt": "a"}))["error"]
        self.assertEqual(error["code"], "model_not_found")


if __name__ == "__main__":
    unittest.main()
