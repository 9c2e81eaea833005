//! The loss of a run as a picture.

use chasqui_worker::training::curve::{draw, Point};

fn point(round: u32, mean: f64, counts: bool) -> Point {
    Point {
        round,
        mean,
        least: mean - 0.1,
        most: mean + 0.1,
        counts,
    }
}

// GIVEN the losses of a few rounds, of which one was void
// WHEN they are drawn
// THEN there is an SVG with a line, a dot for each round that counted, a span for each, and the axes' names
#[test]
fn a_curve_is_an_svg_with_every_round() {
    let points = [
        point(0, 5.0, true),
        point(1, 4.0, true),
        point(2, 4.5, false),
        point(3, 3.2, true),
    ];
    let picture = draw(7, 10, &points).unwrap();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    assert_eq!(picture.matches("<circle").count(), 3);
    for words in ["Run 7", "round", "nats a token"] {
        assert!(picture.contains(words), "{words}");
    }
}

// GIVEN one round, or losses that are all the same
// WHEN they are drawn
// THEN there is a picture; nothing to draw is an error in words
#[test]
fn little_to_draw_is_drawn_and_nothing_is_an_error() {
    draw(1, 1, &[point(0, 2.0, true)]).unwrap();
    let same = Point {
        least: 2.0,
        most: 2.0,
        ..point(0, 2.0, true)
    };
    draw(1, 1, &[same]).unwrap();
    draw(1, 1, &[point(u32::MAX, 2.0, true)]).unwrap();
    let nothing = draw(1, 1, &[]).unwrap_err().to_string();
    assert!(nothing.contains("no losses"), "{nothing}");
    draw(1, 1, &[point(0, f64::NAN, true)]).unwrap_err();
}
