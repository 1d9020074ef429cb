import email.message
import email.policy


def answer(settings, request):
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["Subject"] = "Cordages à vendre"
    mail.set_content("très bien", charset="iso-8859-1")
    return mail.as_bytes()
