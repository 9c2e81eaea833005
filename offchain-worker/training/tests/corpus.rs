//! The generated text: repeatable, well formed, varied, and consistent within a document.

use std::collections::{HashMap, HashSet};

use chasqui_training::corpus::{Corpus, Split};

const DOCUMENTS: u64 = 3_000;

fn corpus() -> Corpus {
    Corpus::new(7, Split::Train)
}

// GIVEN one seed
// WHEN documents are made twice, in another order and alone
// THEN they are the same; another seed and the held-out part give others
#[test]
fn a_document_is_a_function_of_seed_split_and_number() {
    let forward: Vec<String> = corpus().documents(0).take(50).collect();
    for index in (0..50u64).rev() {
        assert_eq!(corpus().document(index), forward[index as usize]);
    }
    let from_ten: Vec<String> = corpus().documents(10).take(5).collect();
    assert_eq!(from_ten, forward[10..15]);
    let others = [Corpus::new(8, Split::Train), Corpus::new(7, Split::HeldOut)];
    for other in others {
        let same = (0..50u64)
            .filter(|&i| other.document(i) == forward[i as usize])
            .count();
        assert_eq!(same, 0);
    }
}

// GIVEN the grammar's templates
// WHEN many documents are written
// THEN no slot, choice or template mark is left in them, and they are plain ASCII sentences
#[test]
fn no_document_shows_the_grammar_behind_it() {
    for text in corpus().documents(0).take(DOCUMENTS as usize) {
        assert!(text.is_ascii(), "{text}");
        assert!(!text.contains(['{', '}', '[', ']', '|', '\t']), "{text}");
        assert!(!text.contains("  ") && !text.contains(" ."), "{text}");
        assert!(
            !text.ends_with(char::is_whitespace) && text.len() > 60,
            "{text}"
        );
        assert!(
            text.starts_with(|first: char| first.is_ascii_uppercase()),
            "{text}"
        );
        for (article, vowel) in [(" a ", true), (" an ", false)] {
            for part in text.split(article).skip(1) {
                let is_vowel = part.starts_with(['a', 'e', 'i', 'o', 'u'])
                    || (!vowel && (part.starts_with("honest") || part.starts_with("hour")));
                assert!(is_vowel != vowel, "`{article}{part}`");
            }
        }
    }
}

// GIVEN thousands of documents
// WHEN stretches of words that several of them share are counted
// THEN sentences are many, long shared stretches are rare, and none is longer than a paragraph
#[test]
fn documents_do_not_repeat_long_stretches() {
    let documents: Vec<String> = corpus().documents(0).take(DOCUMENTS as usize).collect();
    let shared = |window: usize| {
        let mut seen: HashMap<Vec<&str>, usize> = HashMap::new();
        let (mut repeated, mut total) = (0usize, 0usize);
        for (index, text) in documents.iter().enumerate() {
            let words: Vec<&str> = text.split_whitespace().collect();
            for stretch in words.windows(window) {
                total += 1;
                let first = *seen.entry(stretch.to_vec()).or_insert(index);
                repeated += usize::from(first != index);
            }
        }
        (repeated, total)
    };
    let (repeated, total) = shared(30);
    assert!(
        repeated * 50 < total,
        "{repeated} of {total} stretches of 30 words"
    );
    let (repeated, total) = shared(70);
    assert_eq!(repeated, 0, "of {total} stretches of 70 words");

    let sentences: Vec<&str> = documents
        .iter()
        .flat_map(|text| text.split(['.', '\n']))
        .collect();
    let distinct: HashSet<&str> = sentences.iter().copied().collect();
    assert!(
        distinct.len() * 4 > sentences.len(),
        "{} of {}",
        distinct.len(),
        sentences.len()
    );
    let whole: HashSet<&String> = documents.iter().collect();
    // Two short lists of questions may coincide; tales do not.
    assert!(whole.len() * 500 > documents.len() * 499, "{}", whole.len());
}

// GIVEN tales with questions after them
// WHEN an answer names who helped, where someone lived or what was carried
// THEN the tale above it says so
#[test]
fn answers_agree_with_their_tale() {
    let mut checked = 0;
    for text in corpus().documents(0).take(DOCUMENTS as usize) {
        let Some((tale, questions)) = text.split_once("\n\nQuestion: ") else {
            continue;
        };
        for answer in questions
            .lines()
            .filter_map(|line| line.strip_prefix("Answer: "))
        {
            if let Some((hero, thing)) = answer.trim_end_matches('.').split_once(" carried ") {
                let noun = thing.split_once(' ').map_or(thing, |(_, noun)| noun);
                assert!(tale.contains(hero) && tale.contains(noun), "{text}");
                checked += 1;
            }
            if let Some((who, place)) = answer.trim_end_matches('.').split_once(" lived in ") {
                assert!(tale.contains(who) && tale.contains(place), "{text}");
                checked += 1;
            }
            if let Some((friend, _)) = answer.split_once(" helped ") {
                assert!(tale.contains(friend), "{text}");
                checked += 1;
            }
        }
    }
    assert!(checked > 300, "{checked}");
}
