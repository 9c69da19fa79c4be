//! What differs between two configurations, setting by setting.

/// The settings that differ, as `edaa.restarts: 10 -> 20`.
pub(crate) fn changes(before: &str, after: &str) -> Vec<String> {
    let settings = |text: &str| {
        let mut settings = Vec::new();
        // A configuration that no longer parses differs in every key.
        flatten("", &toml::Value::Table(text.parse().unwrap_or_default()), &mut settings);
        settings
    };
    let (before, after) = (settings(before), settings(after));
    let mut keys: Vec<&str> = before.iter().chain(&after).map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    let value = |settings: &[(String, String)], key: &str| {
        let found = settings.iter().find(|(known, _)| known == key);
        found.map_or_else(|| "(none)".to_string(), |(_, value)| value.clone())
    };
    keys.into_iter()
        .map(|key| (key, value(&before, key), value(&after, key)))
        .filter(|(_, before, after)| before != after)
        .map(|(key, before, after)| format!("{key}: {before} -> {after}"))
        .collect()
}

fn flatten(key: &str, value: &toml::Value, settings: &mut Vec<(String, String)>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, settings);
            }
        }
        value => settings.push((key.to_string(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_named_by_its_key() {
        let before = "seed = 1\nname = \"a\"\n[edaa]\nrestarts = 10\nnoise = 0.1\n";
        let after = "seed = 1\nname = \"b\"\nbands = [1, 2]\n[edaa]\nrestarts = 20\n";
        assert_eq!(
            changes(before, after),
            ["bands: (none) -> [1, 2]", "edaa.noise: 0.1 -> (none)", "edaa.restarts: 10 -> 20", "name: \"a\" -> \"b\""]
        );
        assert!(changes(before, before).is_empty());
    }

    #[test]
    fn the_order_of_settings_is_no_difference() {
        assert!(changes("a = 1\nb = 2\n", "b = 2\na = 1\n").is_empty());
    }

    #[test]
    fn a_configuration_that_does_not_parse_differs_everywhere() {
        assert_eq!(changes("seed = ", "seed = 1\n"), ["seed: (none) -> 1"]);
    }
}
