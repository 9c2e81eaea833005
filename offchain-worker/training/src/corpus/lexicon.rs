//! The words that the tales are made of: who, what, where, and the weather.

/// Grammatical gender of a character, for the pronouns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gender {
    /// she, her
    F,
    /// he, him, his
    M,
}

use Gender::{F, M};

/// First names and their pronouns.
pub(super) const NAMES: &[(&str, Gender)] = &[
    ("Mila", F),
    ("Tomas", M),
    ("Inti", M),
    ("Quilla", F),
    ("Amaru", M),
    ("Nina", F),
    ("Suri", F),
    ("Wayra", F),
    ("Illari", F),
    ("Kusi", M),
    ("Rumi", M),
    ("Yaku", M),
    ("Sami", M),
    ("Chaska", F),
    ("Tika", F),
    ("Rosa", F),
    ("Pedro", M),
    ("Elena", F),
    ("Mateo", M),
    ("Lucia", F),
    ("Diego", M),
    ("Ana", F),
    ("Bruno", M),
    ("Clara", F),
    ("Iris", F),
    ("Hugo", M),
    ("Nora", F),
    ("Otto", M),
    ("Vera", F),
    ("Leo", M),
    ("Maya", F),
    ("Omar", M),
    ("Zoe", F),
    ("Felix", M),
    ("Greta", F),
    ("Ivan", M),
];

/// What a character is.
pub(super) const ROLES: &[&str] = &[
    "runner",
    "weaver",
    "potter",
    "shepherd",
    "fisher",
    "baker",
    "farmer",
    "healer",
    "teacher",
    "builder",
    "singer",
    "miller",
    "gardener",
    "messenger",
    "student",
];

/// How a character is by nature.
pub(super) const TRAITS: &[&str] = &[
    "brave", "quiet", "kind", "curious", "patient", "clever", "careful", "cheerful", "shy",
    "honest", "stubborn", "gentle",
];

/// A thing that can be carried, with the adjectives that suit it.
pub(super) struct Thing {
    pub noun: &'static str,
    pub adjectives: &'static [&'static str],
}

pub(super) const THINGS: &[Thing] = &[
    Thing {
        noun: "letter",
        adjectives: &["sealed", "long", "short", "secret", "folded"],
    },
    Thing {
        noun: "blanket",
        adjectives: &["warm", "red", "striped", "soft", "blue"],
    },
    Thing {
        noun: "drum",
        adjectives: &["small", "round", "old", "painted", "loud"],
    },
    Thing {
        noun: "lamp",
        adjectives: &["bright", "little", "brass", "old", "green"],
    },
    Thing {
        noun: "basket",
        adjectives: &["heavy", "round", "woven", "full", "yellow"],
    },
    Thing {
        noun: "map",
        adjectives: &["old", "torn", "secret", "painted", "folded"],
    },
    Thing {
        noun: "bell",
        adjectives: &["silver", "small", "brass", "bright", "heavy"],
    },
    Thing {
        noun: "pot",
        adjectives: &["clay", "red", "tall", "painted", "heavy"],
    },
    Thing {
        noun: "flute",
        adjectives: &["wooden", "long", "thin", "silver", "sweet"],
    },
    Thing {
        noun: "cord",
        adjectives: &["knotted", "long", "red", "blue", "white"],
    },
    Thing {
        noun: "shell",
        adjectives: &["white", "pink", "large", "smooth", "bright"],
    },
    Thing {
        noun: "key",
        adjectives: &["rusty", "small", "golden", "old", "heavy"],
    },
    Thing {
        noun: "book",
        adjectives: &["thick", "old", "blue", "little", "torn"],
    },
    Thing {
        noun: "kite",
        adjectives: &["green", "paper", "large", "striped", "light"],
    },
    Thing {
        noun: "loaf of bread",
        adjectives: &["warm", "round", "large", "sweet", "dark"],
    },
    Thing {
        noun: "sack of seeds",
        adjectives: &["heavy", "small", "full", "brown", "dry"],
    },
    Thing {
        noun: "jar of honey",
        adjectives: &["golden", "little", "full", "sweet", "large"],
    },
    Thing {
        noun: "bundle of wool",
        adjectives: &["soft", "white", "grey", "light", "large"],
    },
    Thing {
        noun: "bag of salt",
        adjectives: &["heavy", "white", "small", "full", "dry"],
    },
    Thing {
        noun: "box",
        adjectives: &["wooden", "painted", "small", "locked", "silver"],
    },
];

/// A place: how one is there (`by`, `on`, `in`), its noun, and adjectives.
pub(super) struct Place {
    pub at: &'static str,
    pub noun: &'static str,
    pub adjectives: &'static [&'static str],
}

pub(super) const PLACES: &[Place] = &[
    Place {
        at: "on",
        noun: "bridge",
        adjectives: &["stone", "rope", "narrow", "old", "long"],
    },
    Place {
        at: "by",
        noun: "river",
        adjectives: &["wide", "cold", "fast", "brown", "deep"],
    },
    Place {
        at: "by",
        noun: "lake",
        adjectives: &["blue", "still", "deep", "quiet", "cold"],
    },
    Place {
        at: "in",
        noun: "forest",
        adjectives: &["dark", "green", "old", "quiet", "thick"],
    },
    Place {
        at: "on",
        noun: "hill",
        adjectives: &["steep", "green", "windy", "bare", "tall"],
    },
    Place {
        at: "on",
        noun: "mountain",
        adjectives: &["high", "white", "steep", "cold", "grey"],
    },
    Place {
        at: "in",
        noun: "valley",
        adjectives: &["green", "wide", "quiet", "sunny", "deep"],
    },
    Place {
        at: "in",
        noun: "market",
        adjectives: &["busy", "loud", "small", "crowded", "old"],
    },
    Place {
        at: "by",
        noun: "well",
        adjectives: &["old", "deep", "dry", "stone", "round"],
    },
    Place {
        at: "in",
        noun: "cave",
        adjectives: &["dark", "cold", "hidden", "small", "dry"],
    },
    Place {
        at: "in",
        noun: "garden",
        adjectives: &["sunny", "quiet", "green", "little", "wild"],
    },
    Place {
        at: "by",
        noun: "tower",
        adjectives: &["tall", "white", "old", "broken", "round"],
    },
    Place {
        at: "in",
        noun: "field",
        adjectives: &["golden", "wide", "empty", "dry", "green"],
    },
    Place {
        at: "by",
        noun: "mill",
        adjectives: &["old", "wooden", "white", "noisy", "small"],
    },
    Place {
        at: "on",
        noun: "road",
        adjectives: &["long", "dusty", "straight", "muddy", "old"],
    },
    Place {
        at: "by",
        noun: "gate",
        adjectives: &["wooden", "tall", "stone", "open", "red"],
    },
];

/// Villages of the high country, all invented.
pub(super) const VILLAGES: &[&str] = &[
    "Saywa", "Pukara", "Mayuna", "Urkupa", "Tambora", "Kantuta", "Orqo", "Wasipa", "Chakana",
    "Llaqta", "Sumaya", "Condora",
];

/// Animals that keep people company.
pub(super) const ANIMALS: &[&str] = &[
    "llama",
    "dog",
    "fox",
    "owl",
    "condor",
    "cat",
    "goat",
    "horse",
    "mouse",
    "donkey",
    "frog",
    "hummingbird",
];

/// Adjectives for animals.
pub(super) const ANIMAL_ADJECTIVES: &[&str] = &[
    "brown", "white", "little", "old", "hungry", "friendly", "grey", "young", "sleepy", "quick",
];

/// Weather: its name, what may happen ("if it rains"), how it comes, what it does to the road, and
/// how it ends.
pub(super) struct Weather {
    pub name: &'static str,
    pub may: &'static str,
    pub comes: &'static str,
    pub effect: &'static str,
    pub ends: &'static str,
}

pub(super) const WEATHERS: &[Weather] = &[
    Weather {
        name: "rain",
        may: "it rains",
        comes: "it began to rain",
        effect: "the stones were wet and slippery",
        ends: "the rain stopped",
    },
    Weather {
        name: "snow",
        may: "it snows",
        comes: "snow began to fall",
        effect: "the path was white and hard to see",
        ends: "the snow stopped falling",
    },
    Weather {
        name: "wind",
        may: "the wind blows",
        comes: "a strong wind began to blow",
        effect: "dust flew across the road",
        ends: "the wind grew quiet",
    },
    Weather {
        name: "fog",
        may: "the fog comes",
        comes: "a thick fog came down",
        effect: "nobody could see the next bend",
        ends: "the fog lifted",
    },
    Weather {
        name: "heat",
        may: "it gets too hot",
        comes: "the sun grew very hot",
        effect: "the ground was dry and dusty",
        ends: "the air grew cool",
    },
    Weather {
        name: "thunder",
        may: "there is a storm",
        comes: "thunder rolled over the hills",
        effect: "the birds hid under the leaves",
        ends: "the storm moved away",
    },
];

/// When a tale begins.
pub(super) const TIMES: &[&str] = &[
    "One morning",
    "One evening",
    "Early one day",
    "One cold morning",
    "On a bright day",
    "On the first day of spring",
    "Late one afternoon",
    "On a market day",
    "Before the sun was up",
    "At the end of summer",
];

/// Gladness at the end of a tale.
pub(super) const GLAD: &[&str] = &[
    "happy",
    "proud",
    "grateful",
    "calm",
    "glad",
    "warm inside",
    "full of joy",
];

/// Trouble in the middle of one.
pub(super) const SAD: &[&str] = &[
    "worried", "sad", "afraid", "tired", "angry", "lonely", "ashamed", "confused",
];
