# Mode script, as in OSCAR: executed for each call.
tr a-z A-Z < "$INPUT_FILE_PATH"
