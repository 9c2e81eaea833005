//! The README of a model folder.

use std::path::Path;

use crate::recipe::{Size, Summary};

/// Markdown that says what the model in `out` is and how to make it again.
pub fn readme(out: &Path, summary: &Summary) -> String {
    let recipe = &summary.recipe;
    let size = &recipe.size;
    let name = out
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let preset = if *size == Size::SMALL {
        "small"
    } else {
        "full"
    };
    let character = match preset {
        "small" => {
            "Small and trained for a few steps only, it stands in for the cheaper model that a \
             dishonest operator might run instead."
        }
        _ => {
            "It writes whole sentences and tales with an end, but does not reliably keep a name \
             through a tale."
        }
    };
    let mut text = format!(
        "---\nlicense: apache-2.0\nlanguage: en\npipeline_tag: text-generation\n---\n\n\
         # {name}\n\n\
         A small language model in the Hugging Face layout, for trying out the network: it tells \
         short tales about runners who carry things from village to village, and knows nothing \
         else. {character} Its text comes from a grammar in this repository (`offchain-worker/training`), its \
         tokenizer and its weights from the program below.\n\n\
         ```\ncargo run -p chasqui-training --bin chasqui-make-model -- \\\n    --out offchain-worker/models/{name} \
         --size {preset} --seed {} --steps {} \\\n    --batch {} --micro-batch {} --seq {} --long-steps {} --lr {}\n```\n\n",
        recipe.seed, recipe.steps, recipe.batch, recipe.micro_batch, recipe.seq,
        recipe.long_steps,
        recipe.learning_rate,
    );
    let rows = [
        ("Architecture", "Llama (RMSNorm, rotary, grouped-query attention, SwiGLU, tied head), f32".into()),
        (
            "Size",
            format!(
                "{} parameters: hidden {}, {} layers, {} heads, {} key-value heads, feed-forward {}",
                summary.parameters, size.hidden, size.layers, size.heads, size.kv_heads, size.intermediate
            ),
        ),
        ("Tokenizer", format!("byte-level BPE, {} tokens, `<s>` 0, `</s>` 1", summary.vocab_size)),
        ("Tokens seen", summary.tokens.to_string()),
        ("Loss of the last batch", format!("{:.4} nats a token", summary.final_loss)),
        (
            "Loss on held-out text",
            format!("{:.4} nats a token ({} x {})", summary.held_out_loss, recipe.held_out, recipe.seq),
        ),
        (
            "Training time",
            format!(
                "{:.0} s, {:.0} tokens/s ({} threads)",
                summary.seconds, summary.tokens_per_second, recipe.threads
            ),
        ),
        ("`b2sum -l 256 model.safetensors`", format!("`{}`", summary.file_hash)),
    ];
    text.push_str("| | |\n| --- | --- |\n");
    for (what, value) in rows {
        text.push_str(&format!("| {what} | {value} |\n"));
    }
    text.push_str(
        "\nThe same command on the same class of CPU gives the same file, whatever the number of \
         threads; another class of CPU may sum in another order and end with slightly different \
         weights.\n\n## What it says\n",
    );
    for sample in &summary.samples {
        let how = match sample.temperature {
            0.0 => "greedy".into(),
            temperature => format!("temperature {temperature}"),
        };
        text.push_str(&format!(
            "\nPrompt `{}`, {how}:\n\n```text\n{}{}\n```\n",
            sample.prompt.replace('\n', "\\n"),
            sample.prompt,
            sample.completion
        ));
    }
    text
}
