use super::*;

#[test]
fn unknown_command_names_what_was_meant() {
    let help = |word| unknown_command(word).report().help.join("");
    assert_eq!(help("valdate"), "did you mean `gearmesh validate`?");
    assert_eq!(help("ls"), "did you mean `gearmesh tool list`?");
    assert_eq!(help("zzz"), "gearmesh --help");
    assert_eq!(unknown_command("x").exit(), Exit::Usage);
}
