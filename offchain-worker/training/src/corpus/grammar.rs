//! Turns a cast of characters and a plot into text.

use super::lexicon::{
    Gender, Weather, ANIMALS, ANIMAL_ADJECTIVES, GLAD, NAMES, PLACES, ROLES, SAD, THINGS, TIMES,
    TRAITS, VILLAGES, WEATHERS,
};
use super::plots::{Trouble, FACTS, SKILLS, TROUBLES};
use crate::rng::CounterRng;

/// One character.
struct Person {
    name: &'static str,
    gender: Gender,
    role: &'static str,
}

impl Person {
    fn subject(&self) -> &'static str {
        match self.gender {
            Gender::F => "she",
            Gender::M => "he",
        }
    }

    fn subject_capital(&self) -> &'static str {
        match self.gender {
            Gender::F => "She",
            Gender::M => "He",
        }
    }

    fn object(&self) -> &'static str {
        match self.gender {
            Gender::F => "her",
            Gender::M => "him",
        }
    }

    fn possessive(&self) -> &'static str {
        match self.gender {
            Gender::F => "her",
            Gender::M => "his",
        }
    }

    fn possessive_capital(&self) -> &'static str {
        match self.gender {
            Gender::F => "Her",
            Gender::M => "His",
        }
    }
}

/// Everything that a document refers to, fixed before its first word, so that every later word
/// agrees with the earlier ones.
struct Scene {
    hero: Person,
    friend: Person,
    other: Person,
    nature: &'static str,
    thing: String,
    place_at: &'static str,
    place: String,
    home: &'static str,
    goal: &'static str,
    animal: String,
    weather: &'static Weather,
    time: &'static str,
    glad: &'static str,
    sad: &'static str,
    trouble: &'static Trouble,
}

impl Scene {
    fn draw(rng: &mut CounterRng) -> Self {
        let names = rng.distinct(NAMES.len(), 3);
        let roles = rng.distinct(ROLES.len(), 3);
        let villages = rng.distinct(VILLAGES.len(), 2);
        let person = |i: usize| {
            let (name, gender) = NAMES[names[i]];
            Person {
                name,
                gender,
                role: ROLES[roles[i]],
            }
        };
        let (hero, friend, other) = (person(0), person(1), person(2));
        let thing = rng.pick(THINGS);
        let thing = format!("{} {}", rng.pick(thing.adjectives), thing.noun);
        let place = rng.pick(PLACES);
        let place_at = place.at;
        let place = format!("{} {}", rng.pick(place.adjectives), place.noun);
        let animal = format!("{} {}", rng.pick(ANIMAL_ADJECTIVES), rng.pick(ANIMALS));
        Self {
            hero,
            friend,
            other,
            nature: *rng.pick::<&str>(TRAITS),
            thing,
            place_at,
            place,
            home: VILLAGES[villages[0]],
            goal: VILLAGES[villages[1]],
            animal,
            weather: rng.pick(WEATHERS),
            time: *rng.pick::<&str>(TIMES),
            glad: *rng.pick::<&str>(GLAD),
            sad: *rng.pick::<&str>(SAD),
            trouble: rng.pick(TROUBLES),
        }
    }

    /// What a slot stands for; nothing for a name that is no slot.
    fn slot(&self, name: &str) -> Option<String> {
        let text = match name {
            "h" => self.hero.name.into(),
            "s" => self.hero.subject().into(),
            "S" => self.hero.subject_capital().into(),
            "o" => self.hero.object().into(),
            "p" => self.hero.possessive().into(),
            "P" => self.hero.possessive_capital().into(),
            "r" => self.hero.role.into(),
            "a_r" => with_article(self.hero.role),
            "f" => self.friend.name.into(),
            "fs" => self.friend.subject().into(),
            "fS" => self.friend.subject_capital().into(),
            "fo" => self.friend.object().into(),
            "fp" => self.friend.possessive().into(),
            "fr" => self.friend.role.into(),
            "a_fr" => with_article(self.friend.role),
            "x" => self.other.name.into(),
            "xo" => self.other.object().into(),
            "xr" => self.other.role.into(),
            "n" => self.nature.into(),
            "a_n" => with_article(self.nature),
            "thing" => format!("the {}", self.thing),
            "Thing" => format!("The {}", self.thing),
            "a_thing" => with_article(&self.thing),
            "place" => format!("the {}", self.place),
            "Place" => format!("The {}", self.place),
            "at_place" => format!("{} the {}", self.place_at, self.place),
            "At_place" => capital(&format!("{} the {}", self.place_at, self.place)),
            "a_place" => with_article(&self.place),
            "home" => self.home.into(),
            "goal" => self.goal.into(),
            "animal" => format!("the {}", self.animal),
            "Animal" => format!("The {}", self.animal),
            "an_animal" => with_article(&self.animal),
            "weather" => self.weather.name.into(),
            "may" => self.weather.may.into(),
            "comes" => self.weather.comes.into(),
            "effect" => self.weather.effect.into(),
            "ends" => self.weather.ends.into(),
            "time" => self.time.into(),
            "glad" => self.glad.into(),
            "sad" => self.sad.into(),
            "lesson" => self.trouble.lesson.into(),
            _ => return None,
        };
        Some(text)
    }

    /// One of `templates`, with its choices made and its slots filled.
    fn say(&self, rng: &mut CounterRng, templates: &[&str]) -> String {
        let template = *rng.pick(templates);
        let template = choose(rng, template);
        let mut text = String::with_capacity(template.len() * 2);
        let mut rest = template.as_str();
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            text.push_str(before);
            let Some(close) = after.find('}') else {
                text.push_str(after);
                return text;
            };
            match self.slot(&after[1..close]) {
                Some(word) => text.push_str(&word),
                None => text.push_str(&after[..=close]),
            }
            rest = &after[close + 1..];
        }
        text.push_str(rest);
        text
    }
}

/// Resolves every `[a|b|c]`.
fn choose(rng: &mut CounterRng, template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        let Some((inside, tail)) = after.split_once(']') else {
            text.push('[');
            rest = after;
            continue;
        };
        let options: Vec<&str> = inside.split('|').collect();
        text.push_str(rng.pick::<&str>(&options));
        rest = tail;
    }
    text.push_str(rest);
    text
}

/// "a red blanket", "an old map".
fn with_article(words: &str) -> String {
    let vowel = words.starts_with(['a', 'e', 'i', 'o', 'u']);
    // "honest" starts with a vowel sound too.
    let article = if vowel || words.starts_with("honest") {
        "an"
    } else {
        "a"
    };
    format!("{article} {words}")
}

/// Upper-cases the first letter.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// The document that the stream of `rng` stands for.
pub(super) fn document(rng: &mut CounterRng) -> String {
    let kind = rng.below(100);
    let scene = Scene::draw(rng);
    match kind {
        0..=49 => tale(&scene, rng),
        50..=67 => {
            let text = tale(&scene, rng);
            format!("{text}\n\n{}", questions(&scene, rng))
        }
        68..=80 => talk(&scene, rng),
        81..=87 => letter(&scene, rng),
        88..=92 => lesson(&scene, rng),
        93..=95 => quiz(rng),
        _ => skill(&scene, rng),
    }
}

/// Hero, errand, trouble, cure, arrival, moral.
fn tale(scene: &Scene, rng: &mut CounterRng) -> String {
    let mut parts = vec![
        scene.say(
            rng,
            &[
                "Once upon a time there was {a_r} named {h}. {S} lived in the village of {home}, near {a_place}.",
                "Once upon a time, in the village of {home}, there lived {a_n} {r} named {h}.",
                "In the village of {home} there lived {a_r} named {h}. Everyone knew that {h} was {n}.",
                "There was once {a_n} {r} named {h}, who lived near {a_place} in {home}.",
                "{h} was {a_r} in the village of {home}. {S} was {n}, and {s} loved to run.",
            ],
        ),
        scene.say(
            rng,
            &[
                "{time}, {x} the {xr} came to {o}. \"Please take {a_thing} to {f} in {goal},\" said {x}.",
                "{time}, {s} had to carry {a_thing} to {f}, {a_fr} who lived in {goal}.",
                "{time}, {h} found {a_thing} {at_place}. \"This belongs to {f},\" {s} said. \"I must bring it to {fo} in {goal}.\"",
                "{time}, {s} made {a_thing} for {p} friend {f}, {a_fr} in {goal}.",
            ],
        ),
        scene.say(
            rng,
            &[
                "So {h} took {thing} and [walked|ran|set out] along the road to {goal}.",
                "{h} put {thing} on {p} back and [left at once|started to run|went out of the gate].",
                "{S} held {thing} [carefully|close to {p} heart|with both hands] and started on the long way to {goal}.",
            ],
        ),
    ];
    if rng.one_in(2) {
        parts.push(scene.say(
            rng,
            &[
                "On the way {comes}, and {effect}.",
                "After an hour {comes}. Now {effect}, so {h} went slowly.",
                "Because {comes}, {effect}.",
            ],
        ));
    }
    parts.push(scene.say(
        rng,
        &[
            "{S} came to {place} and [rested there for a while|met {an_animal} there|drank some water].",
            "{Animal} walked beside {o} as far as {place}.",
            "{At_place}, {s} saw {an_animal}.",
        ],
    ));
    parts.push(scene.say(rng, scene.trouble.happens));
    parts.push(scene.say(rng, scene.trouble.tries));
    parts.push(scene.say(
        rng,
        &[
            "{h} was {sad}. \"What [can|should] I do now?\" {s} [asked|said|thought].",
            "{h} felt {sad}. {S} wanted to give up.",
            "\"I cannot do this alone,\" said {h}, and {s} was {sad}.",
        ],
    ));
    parts.push(scene.say(
        rng,
        &[
            "Just then {f} came along the road to meet {o}.",
            "But {f} had waited too long and had come to look for {o}.",
            "At that moment {s} heard [a voice|steps|a song]. It was {f}.",
            "Far away {f} saw {o} and [ran to help|came as fast as {fs} could].",
            "\"Can I help you?\" said a voice behind {o}. It was {f}.",
        ],
    ));
    parts.push(scene.say(rng, scene.trouble.cure));
    if rng.one_in(2) {
        parts.push(scene.say(
            rng,
            &[
                "Soon {ends}.",
                "A little later {ends}, and the sky was [clear|blue|bright].",
            ],
        ));
    }
    parts.push(scene.say(
        rng,
        &[
            "[At last|In the evening|Before night] they came to {goal}. {h} gave {thing} to {f}, and {f} was {glad}.",
            "So {thing} came safely to {goal}. \"Thank you, {h},\" said {f}. \"You are a true friend.\"",
            "When they reached {goal}, {f} took {thing} and [laughed|smiled|danced]. {fS} was {glad}.",
        ],
    ));
    parts.push(scene.say(
        rng,
        &[
            "From that day on, {h} knew that {lesson}.",
            "And {h} learned that {lesson}.",
            "That night {h} and {f} sat by the fire and [sang|talked|laughed] until they fell asleep.",
            "{h} went home to {home} and told everyone that {lesson}.",
            "The next day {h} ran back to {home}, and {s} was {glad}.",
        ],
    ));
    parts.join(" ")
}

/// Questions about the tale just told, with answers that agree with it.
fn questions(scene: &Scene, rng: &mut CounterRng) -> String {
    let all: [(&str, &str); 9] = [
        ("Who was {h}?", "{h} was {a_r} from {home}."),
        ("Where did {h} live?", "{h} lived in {home}."),
        ("What did {h} carry?", "{h} carried {a_thing}."),
        ("Who helped {h}?", "{f} helped {o}."),
        ("Where did {f} live?", "{f} lived in {goal}."),
        ("What went wrong?", scene.trouble.what),
        ("How did they solve it?", scene.trouble.how),
        ("How did {h} feel when it went wrong?", "{S} was {sad}."),
        ("What did {h} learn?", "{S} learned that {lesson}."),
    ];
    let count = 2 + rng.below(3);
    let lines: Vec<String> = rng
        .distinct(all.len(), count)
        .into_iter()
        .map(|i| {
            let (question, answer) = all[i];
            let question = scene.say(rng, &[question]);
            let answer = scene.say(rng, &[answer]);
            format!("Question: {question}\nAnswer: {answer}")
        })
        .collect();
    lines.join("\n")
}

/// A talk between two people, each line with its speaker; every answer fits its question.
fn talk(scene: &Scene, rng: &mut CounterRng) -> String {
    const OPENINGS: &[(&str, &str)] = &[
        (
            "Good [morning|evening|day], {f}! Where are you going?",
            "I am going to {goal} with {a_thing}.",
        ),
        (
            "Hello, {f}. What do you have in your hands?",
            "Hello, {h}. I have {a_thing} here. It is for {x} in {goal}.",
        ),
        (
            "{f}, have you seen {thing}?",
            "{Thing}? Yes, I will take it to {goal} [today|this evening|before night].",
        ),
    ];
    const MIDDLES: &[(&str, &str)] = &[
        (
            "Is it far to {goal}?",
            "It is a long way. First I pass {place}, and then I follow the river.",
        ),
        (
            "Who will help you on the way?",
            "{x} the {xr} will wait for me {at_place}.",
        ),
        (
            "What will you do if {may}?",
            "Then I will rest {at_place} until it is over.",
        ),
        ("Are you not {sad}?", "A little, but {lesson}."),
        (
            "May I come with you? I know the road.",
            "Yes, come with me. You know that {lesson}.",
        ),
        (
            "Take {an_animal} with you. It knows the way.",
            "Thank you, {h}. You are [very kind|a good friend|very wise].",
        ),
        (
            "When will you come back?",
            "I will be back in {home} [in three days|before the new moon|next week].",
        ),
        (
            "Who made {thing}?",
            "{x} the {xr} made it for the people of {goal}.",
        ),
    ];
    const CLOSINGS: &[&str] = &[
        "Then go now, before {may}.",
        "Good luck, {f}. I will see you in {home}.",
        "I am glad that we met. Goodbye, {f}!",
        "Good. I will tell {x} that you are on the way.",
    ];
    let mut exchanges = vec![*rng.pick(OPENINGS)];
    let count = 1 + rng.below(3);
    exchanges.extend(
        rng.distinct(MIDDLES.len(), count)
            .into_iter()
            .map(|i| MIDDLES[i]),
    );
    let mut lines = Vec::new();
    for (question, answer) in exchanges {
        lines.push(format!(
            "{}: {}",
            scene.hero.name,
            scene.say(rng, &[question])
        ));
        lines.push(format!(
            "{}: {}",
            scene.friend.name,
            scene.say(rng, &[answer])
        ));
    }
    lines.push(format!("{}: {}", scene.hero.name, scene.say(rng, CLOSINGS)));
    lines.join("\n")
}

/// A letter from the hero to the friend.
fn letter(scene: &Scene, rng: &mut CounterRng) -> String {
    let body = [
        scene.say(
            rng,
            &[
                "I am writing to you from {home}, {at_place}.",
                "How are you? I hope that all is well in {goal}.",
                "{x} the {xr} will bring you this letter.",
            ],
        ),
        scene.say(
            rng,
            &[
                "Last week {comes}, and {effect}.",
                "Yesterday I found {a_thing} {at_place}, and I thought of you.",
                "I am sending you {a_thing}. Please keep it safe.",
            ],
        ),
        scene.say(
            rng,
            &[
                "I was {sad} at first, but now I am {glad}.",
                "{Animal} still sleeps beside my door and waits for you.",
                "Every evening I think of what you taught me: {lesson}.",
            ],
        ),
        scene.say(
            rng,
            &[
                "Please come to {home} when the [snow|rain|harvest] is over.",
                "Send me a message with the next runner.",
                "If you see {x}, tell {xo} that I miss the songs {at_place}.",
            ],
        ),
    ];
    format!(
        "Dear {},\n{}\nYour friend,\n{}",
        scene.friend.name,
        body.join(" "),
        scene.hero.name
    )
}

/// Questions of a child and answers of someone who knows.
fn lesson(scene: &Scene, rng: &mut CounterRng) -> String {
    let mut parts = vec![scene.say(
        rng,
        &[
            "{time}, {h} sat {at_place} with {f} the {fr} and asked many questions.",
            "{f} the {fr} was old and wise, so {h} came to {fo} with questions.",
            "{h} was curious. {time}, {s} walked with {f} the {fr} to {place}.",
        ],
    )];
    let count = 2 + rng.below(3);
    for i in rng.distinct(FACTS.len(), count) {
        let (question, answer) = FACTS[i];
        let asks = scene.say(
            rng,
            &["asked {h}", "{h} asked", "said {h}", "{h} wanted to know"],
        );
        let answers = scene.say(
            rng,
            &["said {f}", "{f} answered", "said the {fr}", "{f} said"],
        );
        parts.push(format!("\"{question}?\" {asks}. \"{answer},\" {answers}."));
    }
    parts.push(scene.say(
        rng,
        &[
            "{h} thought about it all the way home to {home}.",
            "\"Thank you,\" said {h}. \"Now I know more than this morning.\"",
            "Then {comes}, and they went home together.",
        ],
    ));
    parts.join(" ")
}

/// Questions of general knowledge, without a story around them.
fn quiz(rng: &mut CounterRng) -> String {
    let count = 2 + rng.below(2);
    let lines: Vec<String> = rng
        .distinct(FACTS.len(), count)
        .into_iter()
        .map(|i| format!("Question: {}?\nAnswer: {}.", FACTS[i].0, FACTS[i].1))
        .collect();
    lines.join("\n")
}

/// A skill in steps.
fn skill(scene: &Scene, rng: &mut CounterRng) -> String {
    let (name, steps) = rng.pick(SKILLS);
    let mut parts = vec![scene
        .say(
            rng,
            &[
                "{f} the {fr} taught {h} how to {skill}.",
                "{h} wanted to know how to {skill}, so {s} asked {f} the {fr}.",
                "{time}, {f} showed {h} how to {skill} {at_place}.",
            ],
        )
        .replace("{skill}", name)];
    let order = ["First", "Then", "After that", "Next", "Last of all"];
    for (when, step) in order.iter().zip(steps.iter()) {
        let line = match rng.below(4) {
            0 => format!("\"{when}, {step},\" said {}.", scene.friend.name),
            1 => format!("{when}, you must {step}."),
            _ => format!("{when}, {step}."),
        };
        parts.push(line);
    }
    parts.push(
        scene
            .say(
                rng,
                &[
                    "{h} tried it [once|twice|three times], and in the end {s} was {glad}.",
                    "\"It is not hard,\" said {f}. \"But you have to be {n}.\"",
                    "Now {h} can {skill} too, and {s} teaches it to {x}.",
                ],
            )
            .replace("{skill}", name),
    );
    capital(&parts.join(" "))
}
