# Resident, in Python with the helper.
import apus_function

# A model would be loaded here: once for each instance, not once for each call.


def handle(call):
    return call.text().upper()


apus_function.serve(handle)  # with fork=True: each call in a copy of this process
