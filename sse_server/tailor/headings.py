"""Headings: how people name the sections of a posting and of a résumé, and what each of them holds."""

from __future__ import annotations

from typing import Final


def _table(sections: dict[str, str]) -> dict[str, str]:
    return {
        heading.strip(): section
        for section, headings in sections.items()
        for heading in headings.replace("\n", "|").split("|")
        if heading.strip()
    }


POSTING: Final = _table(
    {
        "required": """
            requirements|required|required skills|qualifications|minimum qualifications|basic qualifications|must have
            must haves|must-haves|skills|skills and experience|your skills|technical skills|what you bring|what you need
            what you'll bring|what you'll need|what we need|what we are looking for|what we're looking for
            what we look for|we are looking for|we're looking for|who you are|who we are looking for
            who we're looking for|about you|you have|you bring|your profile|your background|your experience
            your qualifications|experience|you are|the ideal candidate|essential|education|education and experience
            key skills|competencies|anforderungen|dein profil|ihr profil|das bringst du mit|was du mitbringst
            profil recherché|votre profil|compétences|requisitos|perfil|vi söker|kvalifikationer|din profil|requisiti
            functie-eisen""",
        "preferred": """
            nice to have|nice to haves|nice-to-haves|preferred|preferred qualifications|preferred skills|bonus
            bonus points|a plus|pluses|desirable|desired|ideally|good to have|it would be great|extra credit
            wünschenswert|von vorteil|les plus|se valora|deseable|meriterande""",
        "duty": """
            responsibilities|key responsibilities|your responsibilities|what you will do|what you'll do|you will
            your role|the role|about the role|role|the job|job description|duties|tasks|your tasks|your mission
            day to day|in this role|aufgaben|deine aufgaben|ihre aufgaben|missions|vos missions|funciones
            arbetsuppgifter""",
        "offer": """
            benefits|perks|what we offer|we offer|our offer|compensation|salary|pay|how to apply|apply|contact
            equal opportunity|why join us|why us|wir bieten|nous offrons|ofrecemos|vi erbjuder""",
        "about": """
            about|about us|about the company|company|who we are|our company|our team|the team|our culture|culture
            our values|our story|the company|über uns|à propos|sobre nosotros|om oss""",
    }
)
"""Heading, in lower case -> required, preferred, duty, offer or about."""

RESUME: Final = _table(
    {
        "profile": """
            summary|profile|professional summary|professional profile|executive summary|about|about me|objective
            career objective|personal statement|personal profile|profil|zusammenfassung|à propos|perfil|resumen""",
        "experience": """
            experience|work experience|professional experience|relevant experience|employment|employment history
            work history|work|career|career history|positions|internships|berufserfahrung|werdegang|erfahrung
            expérience|expérience professionnelle|expériences|experiencia|experiencia laboral
            experiencia profesional|erfarenhet|arbetslivserfarenhet|werkervaring|esperienza""",
        "project": """
            projects|personal projects|selected projects|side projects|open source|publications|talks|portfolio
            research|projekte|projets|proyectos|projekt""",
        "skill": """
            skills|technical skills|key skills|core skills|core competencies|competencies|technologies|tech stack
            technical expertise|expertise|tools|tools and technologies|strengths|languages|kenntnisse|sprachen
            fähigkeiten|compétences|langues|competencias|habilidades|idiomas|kompetenser|språk|vaardigheden""",
        "education": """
            education|academic background|academic history|studies|training|courses|ausbildung|studium|formation
            educación|formación|utbildning|opleiding|istruzione""",
        "certificate": """
            certifications|certificates|certification|licenses|licences|licenses and certifications|credentials
            awards|honors|honours|zertifikate|certificats|certificaciones|certifikat""",
        "volunteering": """
            volunteering|volunteer work|volunteer experience|community|ehrenamt|bénévolat|voluntariado""",
        "private": """
            interests|hobbies|references|contact|contact details|personal details|personal information|hobbys
            interessen|persönliche daten|centres d'intérêt|intereses|referenser|intressen""",
    }
)
"""Heading, in lower case -> profile, experience, project, skill, education, certificate, volunteering or private."""
