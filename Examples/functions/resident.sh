# Mode resident with a small program in the script itself: exec, since standard input and output are the program's.
exec python3 -c "$(cat << 'END'
import apus_function

apus_function.serve(lambda call: call.text().upper())
END
)"
