"""The colours: paper and charcoal, ochre and terracotta."""

from textual.theme import Theme

DEFAULT = "boceto-dark"

THEMES = (
    Theme(
        name="boceto-dark",
        dark=True,
        primary="#e0a458",
        secondary="#8fb8a8",
        accent="#e8c48a",
        foreground="#ece6da",
        background="#1a1917",
        surface="#232220",
        panel="#2e2c29",
        success="#9cc275",
        warning="#e8b04a",
        error="#e2725b",
        variables={
            "footer-key-foreground": "#e0a458",
            "input-selection-background": "#e0a458 35%",
            # Dark enough that a green or grey word on it can be read.
            "block-cursor-background": "#5c4424",
            "block-cursor-foreground": "#f8f2e6",
        },
    ),
    Theme(
        name="boceto-light",
        dark=False,
        primary="#8a4b12",
        secondary="#2f6b5b",
        accent="#a2541c",
        foreground="#2b2722",
        background="#f8f4ea",
        surface="#efe9db",
        panel="#e3dbc8",
        success="#3f7421",
        warning="#8f5b00",
        error="#a63a24",
        variables={
            "footer-key-foreground": "#8a4b12",
            "block-cursor-background": "#ecd8b4",
            "block-cursor-foreground": "#2b2722",
        },
    ),
)
