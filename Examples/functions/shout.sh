# Resident, in the shell, with jq. (Each call starts processes all the same: mode script does that for you.)
while IFS= read -r call; do
    input=$(printf '%s\n' "$call" | jq -r '.input // "/dev/null"')
    if result=$(tr a-z A-Z < "$input"); then
        printf '%s\n' "$call" | jq -c --arg text "$result" '{id, ok: true, result: $text}'
    else
        printf '%s\n' "$call" | jq -c '{id, ok: false, error: "the input cannot be read"}'
    fi
done
