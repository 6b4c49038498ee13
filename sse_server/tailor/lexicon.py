"""The words that the tailor knows: which carry no meaning, which say little, which are titles.

Nothing here limits what is understood: a word in no table counts in full, by how often and where the posting says it.
"""

# ruff: noqa: SIM905  (quotes and commas around each would hide the words)

from __future__ import annotations

from typing import Final

STOP: Final = frozenset(
    """
    a about above across after again against all along also although always am among an and another any are aren't
    around as at away back be because been before being below between both but by can can't cannot could did do does
    doesn't doing don't done down during each either else enough even every everyone everything for from further get
    gets got had has have having he her here hers herself him himself his how however i i'm if in instead into is
    isn't it its itself just keep keeps kept let like ll many may maybe me might mine more most much must my myself
    near neither never no nobody nor not nothing now of off often on once one only onto or other others otherwise our
    ours ourselves out over own per perhaps quite rather re really s same shall she should since so some somebody
    something sometimes soon still such t than that that's the their theirs them themselves then there these they
    they're this those though through throughout till to together too toward towards under until up upon us ve very
    via was we we're were what when where whether which while who whole whom whose why will with within without won't
    would yes yet you you'll you're your yours yourself e.g eg i.e ie etc vs aber als auch auf aus bei bis das dem den
    der des die dich doch du ein eine einem einen einer eines er es für hat ich ihr ihre ihren im ist kein mit nach
    nicht noch oder sein seine sich sie sind sowie über um und uns unser unsere unseren von vom vor werden wir wird zu
    zum zur au aux avec ce ces cette dans de du elle en est et il ils la le les leur leurs mais nos notre nous ou où
    par pas pour que qui sa ses son sont sur un une vos votre vous à al como con cual del el ella ellos este esta esto
    las lo los muy más nuestra nuestro o para pero por se ser sin su sus también tu una uno y è e di che della delle
    dei degli gli nel nella per sono ao aos com da das dos em mais não na nas no nos os pela pelo são sua suas uma och
    att det den av för med på ett eller som är har vi du din ditt dina vår våra inte från till om kan ska het een van
    voor met niet ook zijn wij jij je onze bij sehr unserer deren dessen mehr
    """.split()
)
"""Function words of English, and of some neighbours so that their postings do not rank `und` first."""

WEAK: Final = frozenset(
    """
    ability able accomplished adept advantage apply applicant applicants background basic basis benefit benefits best
    bonus bring brings brought candidate candidates capable clear clearly comfortable committed company competence
    competences competent current currently day days dedicated deep deeply demonstrable demonstrated desirable desired
    effective effectively employer end enthusiasm enthusiastic environment equivalent essential etc excellent
    exceptional exciting expected experience experienced experiences expert expertise extensive familiar familiarity
    field full fully good great habit hands high highly ideal ideally important include included includes including
    job join kind knowledge knowledgeable least level looking love main minimum month months motivated need needed
    needs new nice opportunity part passion passionate plus position practical preferable preferably preferred prior
    proactive profession professional professionally proficiency proficient profile proven qualification
    qualifications qualified record recent recently related relevant require required requirement requirements
    requires responsibilities responsibility responsible role self setting sense similar skill skilled skills solid
    someone sound strength strengths strong suitable sure task tasks thing things thorough today track understanding
    use used useful uses using various want wanted week weeks well willing willingness work worked working works world
    year years yrs erfahrung erfahrungen kenntnis kenntnisse jahre berufserfahrung mehrjährige gute fundierte
    idealerweise wünschenswert expérience connaissances connaissance maîtrise ans années bonne experiencia
    conocimientos años dominio erfarenhet kunskap goda år ervaring kennis jaren esperienza conoscenza anni
    """.split()
)
"""What every posting and every résumé says of anything: no requirement and no evidence by itself."""

VERBS: Final = frozenset(
    """
    achieve act adapt add address advise analyse analyze answer assess assist automate bring build carry change clean
    close coach collaborate communicate complete conduct configure contribute coordinate create cut debug decrease
    define deliver deploy design detect develop direct document double drive edit enable engage ensure establish
    evaluate execute expand extend find fix follow found gather generate give grow guide halve handle help hire
    identify implement improve increase initiate integrate introduce investigate keep launch lead learn lower maintain
    make manage measure meet mend mentor migrate modernise modernize monitor move negotiate open operate optimise
    optimize organise organize oversee own participate perform plan prepare present prevent produce promote propose
    protect provide publish raise reach rebuild receive recommend redesign reduce refactor release replace report
    represent research resolve review rewrite run save scale secure sell serve set share ship show simplify solve
    speak standardise standardize start streamline strengthen supervise supply support take teach test track train
    transform translate troubleshoot turn understand update upgrade validate verify win work write
    """.split()
)
"""What people do with things: the things are what a posting asks for."""

NOUNS: Final = frozenset(
    """
    application area business change client code colleague communication customer data detail development engineering
    feature goal idea improvement industry issue management market member method operation organisation organization
    partner people performance person plan platform practice problem process product production programme program
    project quality report result service site software solution stakeholder standard strategy support system team tens
    thousands hundreds technology time tool user
    """.split()
)
"""Things that stand in nearly every posting: they count little alone, and in full within a phrase."""

IRREGULAR: Final = {
    "began": "begin",
    "bought": "buy",
    "brought": "bring",
    "built": "build",
    "chose": "choose",
    "did": "do",
    "drew": "draw",
    "driven": "drive",
    "drove": "drive",
    "fell": "fall",
    "gave": "give",
    "grew": "grow",
    "grown": "grow",
    "held": "hold",
    "kept": "keep",
    "led": "lead",
    "made": "make",
    "met": "meet",
    "oversaw": "oversee",
    "ran": "run",
    "rebuilt": "rebuild",
    "rewrote": "rewrite",
    "sent": "send",
    "sold": "sell",
    "sought": "seek",
    "spoke": "speak",
    "spent": "spend",
    "stood": "stand",
    "taught": "teach",
    "took": "take",
    "won": "win",
    "wrote": "write",
    "written": "write",
    "analyses": "analysis",
    "children": "child",
    "criteria": "criterion",
    "databases": "database",
    "men": "man",
    "women": "woman",
    "people": "person",
}

UNSTEMMED: Final = frozenset(
    "accounting application engineering kubernetes marketing nursing operations pricing production redis".split()
)
"""Words whose ending makes another meaning (`production` is no `product`) or is no ending at all."""

TITLES: Final = frozenset(
    """
    accountant actuary administrator advisor agent analyst animator apprentice architect archivist artist assistant
    associate attorney auditor baker banker barista bookkeeper broker buyer captain caregiver carpenter cashier ceo cfo
    chef chemist cio clerk coach consultant controller cook coordinator coo copywriter counselor counsellor cto curator
    dentist designer developer dietitian director dispatcher doctor driver economist editor electrician engineer
    entrepreneur estimator executive facilitator firefighter foreman founder freelancer generalist head host inspector
    instructor intern journalist lawyer lead leader lecturer librarian machinist manager mechanic merchandiser midwife
    nurse officer operator paralegal paramedic partner pharmacist photographer physician physiotherapist pilot planner
    plumber porter president principal producer professor programmer psychologist receptionist recruiter representative
    researcher salesperson scientist secretary seller sergeant specialist strategist supervisor surgeon surveyor
    teacher technician technologist tester therapist trader trainee trainer translator tutor underwriter veterinarian
    volunteer vp waiter waitress warden welder writer
    ingénieur développeur développeuse ingeniero
    desarrollador utvecklare ingenjör
    """.split()
)
"""Nouns that end a job title."""

TITLE_ENDINGS: Final = ("entwickler", "entwicklerin", "ingenieur", "ingenieurin", "leiter", "leiterin", "manager")
"""The same in languages that join words."""

SENIORITY: Final = frozenset(
    """
    assistant associate chief deputy director distinguished executive founding head junior lead managing master
    principal senior staff vice
    """.split()
)
"""Ranks: claimed with a title, they must stand with that title in the résumé."""

DEEDS: Final = frozenset(
    """
    coach found hire launch lead manage mentor negotiate oversee own publish research sell supervise teach train win
    """.split()
)
"""Verbs that are a claim by themselves: who led was a leader."""

PLAIN: Final = (
    WEAK
    | (VERBS - DEEDS)
    | frozenset(
        """
        active additionally approach area areas aspect aspects career certificates collaborative colleague colleagues
        combination credentials daily earlier education first focus fast first-hand hold know latest meaningful multiple
        notable notably overall people place places previous previously project projects range result results role
        roles several span specialise specialize study system systems team teams tool tools toward ways wide
        years-long
        """.split()
    )
)
"""Words of any summary that claim nothing one could look up."""

ENGLISH: Final = frozenset("the and of with for by from to".split())
NEIGHBOURS: Final = frozenset(
    "der die das und mit für von le la les et des du el los y con para och med att av för een het van di e il".split()
)
"""Function words that tell English from its neighbours."""
