def measure(options, folder):
    return []
