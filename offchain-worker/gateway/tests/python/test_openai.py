"""The `openai` package, unchanged, against a real gateway."""

import asyncio
import hashlib
import pathlib
import tempfile
import time
import unittest

import openai

from served import Gateway

HELLO = [{"role": "user", "content": "Tell me a tale."}]


class OpenAI(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway()
        cls.client = openai.OpenAI(base_url=cls.gateway.base_url, api_key=cls.gateway.key, max_retries=0)

    @classmethod
    def tearDownClass(cls):
        assert cls.gateway.stop() == 0

    def test_models_are_listed_and_retrieved(self):
        # GIVEN two models, one with a slash in its name
        # WHEN the package lists and retrieves them
        # THEN both are there
        self.assertEqual([model.id for model in self.client.models.list()], ["tales", "tales/plain"])
        model = self.client.models.retrieve("tales/plain")
        self.assertEqual((model.id, model.owned_by), ("tales/plain", "local"))
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.models.retrieve("gpt-4o")
        self.assertEqual(raised.exception.code, "model_not_found")

    def test_a_chat_is_the_same_whole_and_streamed(self):
        # GIVEN a seed
        # WHEN a chat is asked for whole and as a stream with usage
        # THEN text, finish reason and counts are the same
        asked = dict(model="tales", messages=HELLO, seed=3, temperature=0.7, top_p=0.9, max_tokens=40)
        whole = self.client.chat.completions.create(**asked)
        self.assertEqual(whole.choices[0].message.role, "assistant")
        self.assertIn(whole.choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(whole.model_extra["chasqui"]["choices"][0]["seed"], "3")
        self.assertTrue(whole._request_id.startswith("req_"))
        text, reason, usage, last = "", None, None, None
        for chunk in self.client.chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}
        ):
            last = chunk
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
            usage = chunk.usage or usage
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(reason, whole.choices[0].finish_reason)
        self.assertEqual(usage, whole.usage)
        self.assertEqual(last.choices, [])
        self.assertEqual(last.model_extra["chasqui"]["price"], "0")

    def test_the_package_s_own_stream_helper(self):
        # GIVEN the package's helper that puts a stream together
        # WHEN it reads a chat that ends at a stop string
        # THEN it ends with the whole completion
        asked = dict(model="tales", messages=HELLO, temperature=0, max_completion_tokens=100, stop=".")
        with self.client.chat.completions.stream(**asked) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        whole = self.client.chat.completions.create(**asked)
        self.assertEqual(whole.choices[0].finish_reason, "stop")
        self.assertEqual(final.choices[0].message.content, whole.choices[0].message.content)

    def test_completions_with_choices_stops_and_logprobs(self):
        # GIVEN token ids and several choices
        # WHEN completions are asked for
        # THEN they come in the package's types
        answer = self.client.completions.create(
            model="tales/plain",
            prompt=["Once upon a time", "Dear Nina,"],
            n=2,
            max_tokens=8,
            seed=1,
            logprobs=2,
            extra_body={"ignore_eos": True},
        )
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2, 3])
        logprobs = answer.choices[0].logprobs
        self.assertEqual("".join(logprobs.tokens), answer.choices[0].text)
        self.assertEqual(len(logprobs.top_logprobs[0]), 2)
        self.assertEqual(answer.usage.completion_tokens, 32)
        full = self.client.completions.create(model="tales/plain", prompt=[0, 7, 8], max_tokens=30, temperature=0)
        stop = full.choices[0].text[8:12]
        cut = self.client.completions.create(
            model="tales/plain", prompt=[0, 7, 8], max_tokens=30, temperature=0, stop=[stop]
        )
        self.assertEqual(cut.choices[0].text, full.choices[0].text.split(stop)[0])
        self.assertEqual(cut.choices[0].finish_reason, "stop")

    def test_chat_logprobs(self):
        # GIVEN a chat with log-probabilities
        # WHEN it is asked for
        # THEN each token has alternatives and its bytes
        answer = self.client.chat.completions.create(
            model="tales", messages=HELLO, max_tokens=5, temperature=0, logprobs=True, top_logprobs=2
        )
        content = answer.choices[0].logprobs.content
        self.assertEqual(bytes(sum((token.bytes for token in content), [])).decode(), answer.choices[0].message.content)
        self.assertTrue(all(len(token.top_logprobs) == 2 for token in content))

    def test_embeddings_in_both_encodings(self):
        # GIVEN the package's default, base64, and floats
        # WHEN texts are embedded
        # THEN both are the same vectors of length 1
        texts = ["A runner came.", "A river."]
        packed = self.client.embeddings.create(model="tales", input=texts)
        plain = self.client.embeddings.create(model="tales", input=texts, encoding_format="float")
        for one, other in zip(packed.data, plain.data):
            self.assertEqual(len(one.embedding), 128)
            self.assertLess(max(abs(a - b) for a, b in zip(one.embedding, other.embedding)), 1e-6)
            self.assertAlmostEqual(sum(value * value for value in one.embedding), 1, places=4)

    def test_errors_are_the_package_s_own(self):
        # GIVEN requests that are wrong in different ways
        # WHEN they are sent
        # THEN the package raises its own errors, with code and field
        create = self.client.chat.completions.create
        for asked, code, param in [
            (dict(frequency_penalty=0.5), "unsupported_value", "frequency_penalty"),
            (dict(logit_bias={"5": 1}), "unsupported_value", "logit_bias"),
            (dict(max_tokens=512), "context_length_exceeded", "messages"),
            (dict(temperature=-1), "invalid_value", "temperature"),
        ]:
            with self.assertRaises(openai.BadRequestError) as raised:
                create(model="tales", messages=HELLO, **asked)
            self.assertEqual((raised.exception.code, raised.exception.param), (code, param))
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="sk-wrong").models.list()

    def test_a_client_that_leaves_a_stream(self):
        # GIVEN a long stream
        # WHEN the client leaves it after some chunks
        # THEN the next request is answered at once
        stream = self.client.completions.create(
            model="tales", prompt="Once", max_tokens=400, stream=True, extra_body={"ignore_eos": True}
        )
        for _, _ in zip(range(3), stream):
            pass
        stream.close()
        start = time.monotonic()
        self.client.completions.create(model="tales", prompt="Once", max_tokens=1)
        self.assertLess(time.monotonic() - start, 10)

    def test_many_at_once(self):
        # GIVEN twenty chats at once through the asynchronous client
        # WHEN they are answered
        # THEN each has what it has alone
        async def ask():
            client = openai.AsyncOpenAI(base_url=self.gateway.base_url, api_key=self.gateway.key)
            asked = [
                client.chat.completions.create(model="tales", messages=HELLO, seed=seed, max_tokens=10)
                for seed in range(20)
            ]
            answers = await asyncio.gather(*asked)
            await client.close()
            return [answer.choices[0].message.content for answer in answers]

        together = asyncio.run(ask())
        alone = self.client.chat.completions.create(model="tales", messages=HELLO, seed=7, max_tokens=10)
        self.assertEqual(together[7], alone.choices[0].message.content)


class Keys(unittest.TestCase):
    def test_a_key_file(self):
        # GIVEN a file with one key for one model
        # WHEN the package uses it
        # THEN it sees that model only
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "keys.toml"
            digest = hashlib.sha256(b"sk-mine").hexdigest()
            file.write_text(f'[[keys]]\nname = "me"\nsha256 = "{digest}"\nmodels = ["tales"]\nbudget = "1"\n')
            gateway = Gateway("--keys", str(file))
            try:
                client = openai.OpenAI(base_url=gateway.base_url, api_key="sk-mine", max_retries=0)
                self.assertIsNone(gateway.key)
                self.assertEqual([model.id for model in client.models.list()], ["tales"])
                with self.assertRaises(openai.NotFoundError):
                    client.completions.create(model="tales/plain", prompt="a")
            finally:
                self.assertEqual(gateway.stop(), 0)


if __name__ == "__main__":
    unittest.main()
