// Reloads the card when the workspace changes. Part of the preview, not of the card.
new EventSource("/events").addEventListener("change", () => location.reload());
