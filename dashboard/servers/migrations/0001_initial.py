import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Server',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True)),
                ('slug', models.SlugField(max_length=60, unique=True)),
                ('environment', models.CharField(choices=[('production', 'Production'), ('staging', 'Staging'), ('development', 'Development'), ('none', 'Not marked')], default='none', max_length=12)),
                ('note', models.TextField(blank=True, max_length=2000)),
                ('kind', models.CharField(choices=[('standalone', 'Standalone'), ('sentinel', 'Sentinel'), ('cluster', 'Cluster'), ('unix', 'Unix socket')], default='standalone', max_length=12)),
                ('nodes', models.CharField(blank=True, max_length=1000)),
                ('service', models.CharField(blank=True, max_length=120)),
                ('db', models.PositiveSmallIntegerField(default=0)),
                ('username', models.CharField(blank=True, max_length=200)),
                ('sentinel_username', models.CharField(blank=True, max_length=200)),
                ('tls', models.BooleanField(default=False)),
                ('tls_verify', models.BooleanField(default=True)),
                ('tls_server_name', models.CharField(blank=True, max_length=253)),
                ('tls_ca', models.TextField(blank=True)),
                ('tls_certificate', models.TextField(blank=True)),
                ('sealed', models.JSONField(default=dict, editable=False)),
                ('watched', models.BooleanField(default=True)),
                ('declared', models.BooleanField(default=False, editable=False)),
                ('withdrawn', models.DateTimeField(editable=False, null=True)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('changed', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Grant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('viewer', 'Viewer'), ('operator', 'Operator'), ('admin', 'Admin')], max_length=12)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('team', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='accounts.team')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='grants', to=settings.AUTH_USER_MODEL)),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='servers.server')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('team__isnull', True), ('user__isnull', False)), models.Q(('team__isnull', False), ('user__isnull', True)), _connector='OR'), name='grant_to_one'), models.UniqueConstraint(fields=('server', 'user'), name='grant_once_per_user'), models.UniqueConstraint(fields=('server', 'team'), name='grant_once_per_team')],
            },
        ),
    ]
