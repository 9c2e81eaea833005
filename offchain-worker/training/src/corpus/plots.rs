//! What goes wrong in a tale and how it is put right. Every trouble keeps its cause, its cure and
//! the answers to questions about it together, so that a tale agrees with itself.
//!
//! Slots: `{h}` hero, `{S}`/`{s}` She/she, `{o}` her/him, `{p}`/`{P}` her/his, `{f}` friend with
//! `{fs}`, `{fS}`, `{fo}`, `{fp}`, `{thing}` "the red blanket", `{place}` "the old bridge", `{animal}` "the
//! brown llama". `[a|b]` is a choice.

/// A trouble on the way.
pub(super) struct Trouble {
    /// It happens.
    pub happens: &'static [&'static str],
    /// What the hero does alone, in vain.
    pub tries: &'static [&'static str],
    /// What ends it, with the friend's help.
    pub cure: &'static [&'static str],
    /// Answer to "What went wrong?".
    pub what: &'static str,
    /// Answer to "How did they solve it?".
    pub how: &'static str,
    /// What the tale teaches.
    pub lesson: &'static str,
}

pub(super) const TROUBLES: &[Trouble] = &[
    Trouble {
        happens: &[
            "But the bridge was broken, and the water was [deep|fast|cold].",
            "[Soon|Then] {s} saw that the bridge had fallen into the river.",
        ],
        tries: &[
            "{S} looked for another way, but there was none.",
            "{S} put one foot into the water, but the river was too strong.",
        ],
        cure: &[
            "\"Let us tie a rope to that tree,\" said {f}. They tied the rope, held it [tight|with both hands], and crossed the river step by step.",
            "{f} knew what to do. Together they pulled a long log over the water and walked across it slowly.",
        ],
        what: "The bridge was broken.",
        how: "They made a new way over the water together.",
        lesson: "a river is easier to cross with a friend",
    },
    Trouble {
        happens: &[
            "But {s} took the wrong path, and soon {s} was lost.",
            "At the [third|second] bend the path split in two, and {s} did not know which way to go.",
        ],
        tries: &[
            "{S} called out, but only the hills answered.",
            "{S} climbed a rock to look around, but every hill looked the same.",
        ],
        cure: &[
            "\"I tied a red thread to the trees,\" said {f}. They followed the threads until they saw the roofs of {goal}.",
            "\"Look at the stars,\" said {f}. \"The bright one shows the way to the village.\" So they followed the bright star.",
        ],
        what: "{h} was lost.",
        how: "{f} showed {o} the right way.",
        lesson: "it is wise to ask for the way",
    },
    Trouble {
        happens: &[
            "But when {s} stopped to rest, {thing} was gone!",
            "Then {s} opened {p} bag and saw that {thing} was not there.",
        ],
        tries: &[
            "{S} looked under every stone and behind every tree.",
            "{S} walked all the way back, but {s} found nothing.",
        ],
        cure: &[
            "{f} pointed to the ground. \"I see small tracks,\" said {f}. They followed the tracks to {place}, and there was {animal}, asleep on top of {thing}.",
            "\"Think slowly,\" said {f}. \"Where did you hold it last?\" Then {h} remembered. They went back to {place}, and {thing} was still there.",
        ],
        what: "{h} lost {thing}.",
        how: "They found it {at_place}.",
        lesson: "a calm mind finds more than fast feet",
    },
    Trouble {
        happens: &[
            "But on the way {s} fell and hurt {p} foot.",
            "Then a stone rolled under {p} foot, and {s} fell down hard.",
        ],
        tries: &[
            "{S} tried to stand up, but it hurt too much.",
            "{S} sat on the ground and could not go on.",
        ],
        cure: &[
            "{f} washed the foot with cold water and tied a clean cloth around it. \"Lean on me,\" said {f}, and they walked on together.",
            "{f} put {h} on the back of {animal} and led them along the road.",
        ],
        what: "{h} hurt {p} foot.",
        how: "{f} helped {o} to go on.",
        lesson: "nobody has to walk alone",
    },
    Trouble {
        happens: &[
            "But the night came early, and it was too dark to see the road.",
            "But the sun went down, and there was no moon in the sky.",
        ],
        tries: &[
            "{S} held out {p} hands and walked slowly, but {s} bumped into a tree.",
            "{S} waited for the moon, but the clouds were too thick.",
        ],
        cure: &[
            "{f} had brought a lamp. \"I thought that you might need this,\" {fs} said, and now they saw every stone.",
            "{f} made a fire, and they sat beside it until the morning came. Then the road was easy to see.",
        ],
        what: "It was too dark to see the road.",
        how: "{f} brought {o} light.",
        lesson: "a little light is enough for the next step",
    },
    Trouble {
        happens: &[
            "But a big rock had rolled down and closed the road.",
            "But a fallen tree lay across the path, and nobody could pass.",
        ],
        tries: &[
            "{S} pushed and pushed, but it did not move.",
            "{S} tried to climb over it, but it was too high.",
        ],
        cure: &[
            "\"One of us is too weak,\" said {f}, \"but two may be strong.\" They pushed together, and it rolled away.",
            "{f} found a strong branch. They put it under one side, pressed down, and slowly the way was open again.",
        ],
        what: "The road was closed.",
        how: "They moved what was in the way together.",
        lesson: "two can move what one cannot",
    },
    Trouble {
        happens: &[
            "But {animal} was in the way and did not let {o} pass.",
            "Then {animal} jumped onto the road and looked at {o} with [big|angry|sad] eyes.",
        ],
        tries: &[
            "{S} shouted and waved {p} arms, but it did not help.",
            "{S} walked around it, but it followed {o}.",
        ],
        cure: &[
            "\"It is only hungry,\" said {f}. They gave it some bread, and after that it walked beside them like an old friend.",
            "{f} sat down and sang softly. The animal listened, lay down, and closed its eyes. Then they passed by on quiet feet.",
        ],
        what: "An animal did not let {h} pass.",
        how: "They were kind to the animal.",
        lesson: "kindness opens more doors than anger",
    },
    Trouble {
        happens: &[
            "But {p} water was all gone, and the sun was high.",
            "But {s} had nothing left to drink, and the next village was far away.",
        ],
        tries: &[
            "{S} looked for a river, but the ground was dry.",
            "{S} dug a small hole in the sand, but no water came.",
        ],
        cure: &[
            "\"Follow the birds,\" said {f}. \"They know where the water is.\" The birds flew to a small spring, and they both drank until they were full.",
            "{f} shared {fp} last cup of water with {o}. It was not much, but it was enough to reach the well.",
        ],
        what: "{h} had no water.",
        how: "{f} helped {o} to find water.",
        lesson: "what we share is never lost",
    },
    Trouble {
        happens: &[
            "But {s} forgot the words that {s} had to say.",
            "But when {s} tried to remember the message, {p} head was empty.",
        ],
        tries: &[
            "{S} said the words that {s} still knew, but they made no sense.",
            "{S} sat down and counted to ten, but the words did not come back.",
        ],
        cure: &[
            "{f} took a cord and tied a knot for every word. \"Now your fingers can remember too,\" said {f}.",
            "\"Let us make a song of it,\" said {f}. They sang the message again and again, and {h} never forgot it after that.",
        ],
        what: "{h} forgot the message.",
        how: "{f} taught {o} a way to remember.",
        lesson: "a good way to remember is worth more than a good guess",
    },
    Trouble {
        happens: &[
            "But {s} let {thing} fall, and it was spoiled.",
            "Then {s} slipped. {Thing} fell to the ground and was spoiled!",
        ],
        tries: &[
            "{S} tried to mend it, but {p} hands were shaking.",
            "{S} hid it under {p} coat, but {s} could not stop thinking about it.",
        ],
        cure: &[
            "\"Everything can be mended,\" said {f}. They worked all night, and in the morning it was as good as new.",
            "{h} told {f} the truth. \"Thank you for being honest,\" said {f}, and they mended it together.",
        ],
        what: "{h} spoiled {thing}.",
        how: "They mended it together.",
        lesson: "the truth is lighter to carry than a secret",
    },
];

/// Questions without their mark, and whole answers without their full stop.
pub(super) const FACTS: &[(&str, &str)] = &[
    ("Why does a runner rest", "Because tired feet make mistakes"),
    (
        "Why do we tie knots in a cord",
        "Because each knot helps us to remember a number",
    ),
    (
        "Why is the bridge made of rope",
        "Because rope can bend in the wind and does not break",
    ),
    (
        "Why do birds fly south",
        "Because the winter is too cold for them",
    ),
    (
        "Why does the river sing",
        "Because the water runs over the stones",
    ),
    (
        "Why is the mountain white",
        "Because the snow never melts up there",
    ),
    (
        "Why do we count every message",
        "Because a lost message must be sent again",
    ),
    (
        "Why do two people check the same answer",
        "Because one person can make a mistake",
    ),
    (
        "Why does a promise matter",
        "Because people build their plans on it",
    ),
    (
        "Why do we seal a letter",
        "Because only the right person should read it",
    ),
    (
        "Why does bread rise",
        "Because it is warm and has time to rest",
    ),
    (
        "Why do llamas have wool",
        "Because the nights in the hills are cold",
    ),
    (
        "Why is the path so narrow",
        "Because it follows the side of the mountain",
    ),
    (
        "Why do we light a fire at night",
        "Because it keeps us warm and shows the way",
    ),
    (
        "Why do farmers wait for rain",
        "Because seeds need water to grow",
    ),
    (
        "Why does the moon change",
        "Because we see a different part of it each night",
    ),
    (
        "Why should we listen first",
        "Because nobody learns while talking",
    ),
    (
        "Why is salt worth so much",
        "Because it keeps the food good for a long time",
    ),
    (
        "Why do we run in turns",
        "Because a fresh runner is faster than a tired one",
    ),
    (
        "Why does the drum sound so loud",
        "Because its skin is tight and its belly is empty",
    ),
    (
        "Why do we share the work",
        "Because many hands make it light",
    ),
    (
        "Why is the well so deep",
        "Because the water lies far under the ground",
    ),
    (
        "Why does the owl hunt at night",
        "Because its eyes see well in the dark",
    ),
    ("Why do we say thank you", "Because it makes the giver glad"),
    (
        "What is a chasqui",
        "A chasqui is a runner who carries a message to the next runner",
    ),
    (
        "What is a tambo",
        "A tambo is a house by the road where runners rest",
    ),
    (
        "What is a quipu",
        "A quipu is a cord with knots that remembers numbers",
    ),
    (
        "What is a promise",
        "A promise is a word that you keep when nobody is looking",
    ),
    (
        "What is a spring",
        "A spring is a place where water comes out of the ground",
    ),
    (
        "What is a valley",
        "A valley is low land between two mountains",
    ),
    (
        "What is a witness",
        "A witness is someone who saw it and tells the truth",
    ),
    (
        "What is a friend",
        "A friend is someone who comes when the road is dark",
    ),
    (
        "Who checks the work",
        "Three neighbours check it, and they do not talk before they answer",
    ),
    (
        "Who pays the runner",
        "The one who sends the message pays when it has come safely",
    ),
    (
        "How fast is a message",
        "It is as fast as the slowest runner on the road",
    ),
    (
        "How long is the road",
        "It is as long as ten days of walking",
    ),
];

/// A thing to learn step by step: its name and its steps in order.
pub(super) const SKILLS: &[(&str, &[&str])] = &[
    (
        "carry a message",
        &[
            "listen to every word",
            "say the message back",
            "tie a knot for each part",
            "run at an even pace",
            "give the message to the next runner",
        ],
    ),
    (
        "bake a loaf of bread",
        &[
            "mix the flour with warm water",
            "press the dough with both hands",
            "let it rest under a cloth",
            "put it into the hot oven",
            "wait until the crust is brown",
        ],
    ),
    (
        "cross a cold river",
        &[
            "look for the place where the water is wide and slow",
            "take off your shoes",
            "hold a long stick",
            "walk with small steps",
            "dry your feet on the other side",
        ],
    ),
    (
        "weave a blanket",
        &[
            "wash the wool in the river",
            "spin it into a thin thread",
            "choose two colours",
            "pass the thread over and under",
            "cut the last thread and tie it",
        ],
    ),
    (
        "grow beans",
        &[
            "dig a small hole in soft ground",
            "put in three seeds",
            "cover them with earth",
            "give them water every evening",
            "pick the beans when they are long and green",
        ],
    ),
    (
        "light a fire",
        &[
            "find dry grass and thin sticks",
            "make a ring of stones",
            "put the grass under the sticks",
            "strike the stone until you see a spark",
            "blow softly on the first smoke",
        ],
    ),
    (
        "check an answer",
        &[
            "hide the first answer",
            "do the same work again",
            "write down what you found",
            "look at both answers side by side",
            "tell everyone if they are not the same",
        ],
    ),
    (
        "find the way home",
        &[
            "stand still and breathe",
            "look for the highest hill",
            "listen for the river",
            "follow the water down",
            "ask the first person that you meet",
        ],
    ),
];
