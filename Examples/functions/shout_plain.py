# Resident, in Python without anything.
import json
import sys

for line in sys.stdin:
    call = json.loads(line)
    try:
        with open(call["input"] or "/dev/null", encoding="utf-8") as file:
            answer = {"id": call["id"], "ok": True, "result": file.read().upper()}
    except Exception as error:
        answer = {"id": call["id"], "ok": False, "error": repr(error)}
    print(json.dumps(answer), flush=True)
