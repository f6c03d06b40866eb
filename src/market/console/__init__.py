"""What operators read: views over every module's tables. Nothing here changes anything."""
