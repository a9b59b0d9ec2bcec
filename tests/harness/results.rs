//! `benches/RESULTS.md` and its charts: that no line contradicts itself and no label is cut.

use std::fs;

use portcullis_tests::workspace;

/// What a letter of a label takes at most, in the units of a chart.
const LETTER: usize = 9;

#[test]
fn f_52_no_measured_line_contradicts_itself() {
    let page = fs::read_to_string(workspace().join("benches/RESULTS.md")).unwrap();
    let number = |cell: &str| cell.split(' ').find_map(|word| word.parse::<f64>().ok());
    let mut lines = 0;
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, _, bar, measured, met @ ("yes" | "**no**"), _] = cells[..] else { continue };
        let (bound, measured) = (number(bar).unwrap(), number(measured).unwrap());
        let holds = if bar.starts_with('≥') { measured >= bound } else { measured <= bound };
        assert_eq!(holds, met == "yes", "{line}");
        lines += 1;
    }
    assert!(lines > 20, "{lines}");
}

#[test]
fn f_52_no_chart_cuts_a_label() {
    let charts = fs::read_dir(workspace().join("benches/charts")).unwrap().flatten();
    for chart in charts.map(|entry| entry.path()) {
        let svg = fs::read_to_string(&chart).unwrap();
        // Whole units are enough.
        let number = |line: &str, before: &str| -> usize {
            let (_, rest) = line.split_once(before).unwrap();
            rest.split(['"', ' ', '.']).next().unwrap().parse().unwrap()
        };
        let width = number(&svg, "viewBox=\"0 0 ");
        for line in svg.lines().filter(|line| line.starts_with("<text ")) {
            let (x, label) = (number(line, " x=\""), line.split(['<', '>']).nth(2).unwrap());
            let length = label.chars().count() * LETTER;
            let is_cut = if line.contains("text-anchor=\"end\"") {
                length > x
            } else {
                !line.contains("font-size") && x + length > width
            };
            assert!(!is_cut, "{}: {label}", chart.display());
        }
    }
}
