x = 1 /* c */ + convert("2", number) # d
y = sort(setunion(["b"], split(",", x)))
